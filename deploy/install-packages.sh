#!/bin/sh
# Installs the Debian 12 packages that dcps is built from; with --tests also those its tests need. Quick when nothing is missing.
set -eu

build_packages="gcc libc6-dev cmake ninja-build pkg-config libzmq3-dev libprotobuf-c-dev protobuf-c-compiler libuv1-dev
libdnnl-dev libjansson-dev zlib1g-dev liblzma-dev dataset-fashion-mnist"
test_packages="check clang clang-format clang-tidy libclang-rt-14-dev shellcheck python3 python3-venv ca-certificates"

say() {
    printf '%s\n' "install-packages: $*"
}

fail() {
    printf '%s\n' "install-packages: $*" >&2
    exit 1
}

usage() {
    cat <<'EOF'
Usage: deploy/install-packages.sh [--tests] [--check | --list]
  --tests   also install what tests/run.sh needs
  --check   install nothing: name the missing packages and fail if there are any
  --list    install nothing: name the packages, one a line
EOF
}

wanted=$build_packages
check_only=no
list_only=no
for argument in "$@"; do
    case $argument in
    --tests) wanted="$wanted $test_packages" ;;
    --check) check_only=yes ;;
    --list) list_only=yes ;;
    --help) usage && exit 0 ;;
    *) usage >&2 && fail "unknown argument \"$argument\"" ;;
    esac
done

if [ "$list_only" = yes ]; then
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n' $wanted
    exit 0
fi

command -v dpkg-query >/dev/null 2>&1 || fail "dpkg-query is not there: this script knows Debian only. Install by other means what it would: $wanted"

missing=
for package in $wanted; do
    installed=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$installed" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    say "all packages are installed"
    exit 0
fi
[ "$check_only" = no ] || fail "missing packages:$missing"

command -v apt-get >/dev/null 2>&1 || fail "apt-get is not there; install by other means:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || fail "not root and sudo is not there; as root, run: apt-get install$missing"
    as_root=sudo
fi

say "installing:$missing"
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
# Package lists may be missing or old: fetch them once before giving up.
install_missing() {
    # shellcheck disable=SC2086 # both are lists of words
    $as_root apt-get install -y --no-install-recommends $missing
}
if ! install_missing; then
    say "fetching package lists, then trying again"
    $as_root apt-get update || fail "apt-get update failed: are the package sources in /etc/apt reachable?"
    install_missing || fail "cannot install:$missing (see apt's messages above; the names are those of Debian 12)"
fi
say "done"
