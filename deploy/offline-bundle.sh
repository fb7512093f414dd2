#!/bin/sh
# Fetches what dcps is built from into a folder, for a machine that has a compiler and CMake but no network: copy the folder there and run its unpack.sh, as
# any user. Run this on Debian 12; the other machine may be another distribution of that age or later (glibc 2.36, GCC 12).
set -eu

cd "$(dirname "$0")/.."
root=$(pwd)

# A compiler and its libraries are there, and so is what every Debian has.
there='^(gcc|g\+\+|cpp|binutils|cmake|libc6|libc-|libgcc|libstdc\+\+|libgomp|linux-libc-dev|libcrypt|libtirpc|libnsl|rpcsvc-proto|mawk|dpkg|debconf|perl|tar)'

say() {
    printf '%s\n' "offline-bundle: $*"
}

fail() {
    printf '%s\n' "offline-bundle: $*" >&2
    exit 1
}

usage() {
    cat <<'END'
Usage: deploy/offline-bundle.sh [--minimal] [--data] DIR
       deploy/offline-bundle.sh [--minimal] [--data] --list
  --minimal  leave out what only tests need
  --data     take the data set Fashion-MNIST along
  --list     fetch nothing: name the packages, one a line
END
}

minimal=no
data=no
list_only=no
folder=
for argument in "$@"; do
    case $argument in
    --minimal) minimal=yes ;;
    --data) data=yes ;;
    --list) list_only=yes ;;
    --help) usage && exit 0 ;;
    -*) usage >&2 && fail "unknown argument \"$argument\"" ;;
    *)
        [ -z "$folder" ] || fail "expected one folder, seen \"$folder\" and \"$argument\""
        folder=$argument
        ;;
    esac
done
[ "$list_only" = yes ] || [ -n "$folder" ] || { usage >&2 && fail "expected a folder to fetch into"; }
for tool in apt-get apt-cache dpkg-deb; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not there: run this on a Debian 12 machine with network, and copy the folder"
done

# What dcps names, then what that depends on.
wanted=$(deploy/install-packages.sh --list | grep -v -E "$there|^dataset-")
[ "$minimal" = yes ] || wanted="$wanted check"
packages=$(
    # shellcheck disable=SC2086 # a list of words
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances $wanted |
        grep -E '^[a-z0-9]' | grep -v -E "$there" | sort -u
)
[ "$data" = no ] || packages="$packages dataset-fashion-mnist"
[ -n "$packages" ] || fail "apt knows none of the packages: run apt-get update first"

if [ "$list_only" = yes ]; then
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n' $packages
    exit 0
fi

mkdir -p "$folder/debs"
cd "$folder/debs"
[ -z "$(ls -A .)" ] || fail "$folder/debs is not empty: remove it, or name another folder"
say "fetching $(printf '%s\n' "$packages" | wc -w) packages into $folder/debs"
# shellcheck disable=SC2086 # a list of words
apt-get download $packages >/dev/null || fail "apt-get download failed: see above; are the package lists old (apt-get update)?"
install -m 755 "$root/deploy/offline-unpack.sh" ../unpack.sh
say "$folder has $(du -sm .. | cut -f1) MiB"
say "on the other machine: sh unpack.sh PREFIX && . PREFIX/env.sh && cmake --preset release && cmake --build --preset release"
