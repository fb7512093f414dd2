#!/bin/sh
# From a fresh checkout to the comparison table: packages, build, and the main job. Arguments are passed on to `dcps compare`.
set -eu

cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf '%s\n' "quickstart: $*" >&2
    exit 1
}

[ -f CMakePresets.json ] || fail "expected the sources of dcps in $(pwd), but CMakePresets.json is not there"

step "1/4 packages"
./deploy/install-packages.sh
command -v cc >/dev/null 2>&1 || fail "no C compiler (cc) in PATH, though gcc is installed: check PATH"

step "2/4 configure (build/release)"
cmake --preset release -Wno-dev --log-level=WARNING

step "3/4 build"
cmake --build --preset release
for program in dcps dcps-server dcps-worker; do
    [ -x "build/release/bin/$program" ] || fail "the build made no build/release/bin/$program"
done

step "4/4 compare algorithms on Fashion-MNIST"
set -- compare --model mlp --runs sgd@1,ssgd@4,asgd@4,dc-asgd-c@4,dc-asgd-a@4 --fresh --out runs/quickstart "$@"
printf 'build/release/bin/dcps %s\n\n' "$*"
exec build/release/bin/dcps "$@"
