#!/bin/sh
# Installs the build into a prefix, moves it elsewhere, and uses it from outside: programs, pkg-config, a client, a model plugin.
set -eu

source_dir=${DCPS_SOURCE_DIR:?is set by ctest}
build_dir=${DCPS_BUILD_DIR:?is set by ctest}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/moved

fail() {
    printf '%s\n' "install.sh: $*" >&2
    exit 1
}

cmake --install "$build_dir" --prefix "$work/installed" >"$work/log" || fail "cmake --install failed: $(cat "$work/log")"
mv "$work/installed" "$prefix"
for file in bin/dcps bin/dcps-server bin/dcps-worker lib/libdcps.so lib/dcps/models/mlp.so lib/pkgconfig/dcps.pc \
    include/dcps/client.h include/dcps/model.h; do
    [ -e "$prefix/$file" ] || fail "$file was not installed"
done

PKG_CONFIG_PATH=$prefix/lib/pkgconfig
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs dcps)
models=$(pkg-config --variable=modelsdir dcps)
[ -e "$models/mlp.so" ] || fail "pkg-config's modelsdir $models holds no mlp.so"

cd /
for program in dcps dcps-server dcps-worker; do
    shown=$("$prefix/bin/$program" --version) || fail "$program --version failed"
    case $shown in
    "$program "[0-9]*) ;;
    *) fail "$program --version: expected its name and version, got \"$shown\"" ;;
    esac
done

cat >"$work/client.c" <<'EOF'
#include <dcps/client.h>
#include <string.h>

int main(void)
{
    dcps_client *client = NULL;
    dcps_client_config config = {.servers = "nonsense"};
    if (dcps_client_connect(&config, &client) != DCPS_INVALID || client != NULL)
        return 1;
    return strstr(dcps_error_message(), "nonsense") == NULL;
}
EOF
# shellcheck disable=SC2086 # a list of flags
cc -std=c11 -Wall -Wextra -Werror "$work/client.c" $flags -Wl,-rpath,"$prefix/lib" -o "$work/client"
"$work/client" || fail "a client built against the installation does not work"

# shellcheck disable=SC2086
cc -std=c11 -Wall -Werror -shared -fPIC "$source_dir/examples/custom/softmax.c" $flags -o "$models/softmax.so"
nm -D --defined-only "$models/softmax.so" | grep -q ' dcps_model_table$' || fail "softmax.so exports no dcps_model_table"
# Both programs that load it find libdcps.so beside them, whatever the system's loader knows.
"$prefix/bin/dcps-worker" --model softmax --help-model >"$work/log" 2>&1 || fail "dcps-worker cannot load softmax.so: $(cat "$work/log")"
"$prefix/bin/dcps" run --model softmax --print-config >"$work/log" 2>&1 || fail "dcps cannot load softmax.so: $(cat "$work/log")"

# A simulation opens a model once for each thread; what is learnt must not depend on how many there are.
digest_of_threads() {
    "$prefix/bin/dcps" sim --model softmax --algorithm asgd --workers 4 --epochs 1 --batch-size 1000 --threads "$1" >"$work/sim" 2>"$work/log" ||
        fail "dcps sim --threads $1 of softmax.so failed: $(cat "$work/log")"
    sed -n 's/^digest of the final weights: //p' "$work/sim"
}
alone=$(digest_of_threads 1)
[ -n "$alone" ] || fail "dcps sim shows no digest: $(cat "$work/sim")"
side_by_side=$(digest_of_threads 2)
[ "$alone" = "$side_by_side" ] || fail "softmax.so learns other weights with two threads than with one: $side_by_side, not $alone"
echo "installed, moved and used"
