#!/bin/sh
# Installs the build into a prefix, moves it elsewhere, and uses it from outside: programs, pkg-config, a client, a model plugin.
set -eu

source_dir=${DCPS_SOURCE_DIR:?is set by ctest}
build_dir=${DCPS_BUILD_DIR:?is set by ctest}
work=$(mktemp -d)
children=
leave() {
    for child in $children; do
        kill "$child" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap leave EXIT
prefix=$work/moved

fail() {
    printf '%s\n' "install.sh: $*" >&2
    exit 1
}

# within_10_s COMMAND…: succeeds as soon as the command does.
within_10_s() {
    for _ in 0 1 2 3 4 5 6 7 8 9; do
        for _ in 0 1 2 3 4 5 6 7 8 9; do
            ! "$@" || return 0
            sleep 0.1
        done
    done
    return 1
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

# shellcheck disable=SC2086 # a list of flags
cc -std=c11 -Wall -Wextra -Werror "$source_dir/examples/client/regression.c" $flags -lm -Wl,-rpath,"$prefix/lib" -o "$work/regression"
code=0
"$work/regression" nonsense >"$work/log" 2>&1 || code=$?
if [ "$code" != 1 ] || ! grep -q nonsense "$work/log"; then
    fail "of the server \"nonsense\", regression says (exit code $code): $(cat "$work/log")"
fi

# Two processes of it share the weights of a server. In synchronous training both have to come, and every mini-batch is one process's.
"$prefix/bin/dcps-server" --workers 2 --algorithm ssgd --epochs 5 --batch-size 32 --learning-rate 0.3 --lease-ms 60000 >"$work/server" 2>"$work/log" &
server=$!
children=$server
listens() {
    address=$(sed -n 's/^dcps-server listening control=\([^ ]*\) .*/\1/p' "$work/server")
    [ -n "$address" ]
}
within_10_s listens || fail "dcps-server names no address: $(cat "$work/log")"
"$work/regression" "$address" >"$work/first" 2>&1 &
first=$!
children="$server $first"
"$work/regression" "$address" >"$work/second" 2>&1 || fail "the second client failed: $(cat "$work/second")"
wait "$first" || fail "the first client failed: $(cat "$work/first")"
children=$server
# The distance was 2.7 at the beginning.
grep -h 'mini-batches computed here' "$work/first" "$work/second" |
    awk '$NF ~ /^[0-9.]+(e-[0-9]+)?$/ && $NF < 0.001 && $1 > 0 { near++; batches += $1 } END { exit !(near == 2 && batches == 500) }' ||
    fail "expected two clients near the truth after 500 mini-batches, got: $(cat "$work/first" "$work/second")"
is_done() {
    "$prefix/bin/dcps" status --json "$address" >"$work/status" || return
    for words in '"state": "done"' '"samples": 16000,' '"workers_live": 0' '"workers_lost": 0'; do
        grep -q "$words" "$work/status" || return
    done
}
within_10_s is_done || fail "expected a server that is done with 16000 samples and has no worker left: $(cat "$work/status")"
kill "$server"
wait "$server" || fail "dcps-server did not end well: $(cat "$work/log")"
children=

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
