#!/bin/sh
# deploy/offline-bundle.sh without the network: what it refuses, and what it would fetch.
set -eu

cd "$DCPS_SOURCE_DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf '%s\n' "offline_bundle: $*" >&2
    exit 1
}

# refuses WORDS COMMAND…: the command fails and says so.
refuses() {
    words=$1
    shift
    ! "$@" >"$work/out" 2>&1 || fail "expected a failure of: $*"
    grep -q -- "$words" "$work/out" || fail "expected \"$words\" of: $*; seen: $(cat "$work/out")"
}

refuses 'expected a folder to fetch into' deploy/offline-bundle.sh
refuses 'unknown argument "--all"' deploy/offline-bundle.sh --all "$work"
refuses 'expected one folder, seen "a" and "b"' deploy/offline-bundle.sh a b
refuses 'expected one argument' sh deploy/offline-unpack.sh
refuses 'no packages in' sh deploy/offline-unpack.sh "$work/prefix"
refuses 'blanks' sh deploy/offline-unpack.sh "$work/pre fix"
deploy/offline-bundle.sh --help | grep -q -- --minimal || fail "--help does not tell of --minimal"

if [ -z "$(apt-cache depends libzmq3-dev 2>/dev/null)" ]; then
    echo "skipped: apt has no lists of packages here"
    exit 77
fi
mkdir "$work/taken" # with something in it
mkdir "$work/taken/debs"
touch "$work/taken/debs/old.deb"
refuses 'is not empty' deploy/offline-bundle.sh "$work/taken"
deploy/offline-bundle.sh --list >"$work/all"
deploy/offline-bundle.sh --minimal --list >"$work/minimal"
deploy/offline-bundle.sh --minimal --data --list >"$work/data"
# libzmq5 and libprotoc32 are nobody's wish but others need them.
for package in libzmq3-dev libzmq5 libdnnl-dev libprotoc32 protobuf-c-compiler ninja-build pkg-config liblzma5; do
    grep -q -x "$package" "$work/minimal" || fail "$package is not in the minimal list"
done
for package in gcc libc6 libc6-dev libstdc++6 cmake; do
    ! grep -q -x "$package" "$work/all" || fail "$package would be taken along"
done
grep -q -x check "$work/all" || fail "check is not in the list"
! grep -q -x check "$work/minimal" || fail "check is in the minimal list"
grep -q -x dataset-fashion-mnist "$work/data" || fail "the data set is not in the list"
! grep -q dataset "$work/all" || fail "the data set would be taken along unasked"
