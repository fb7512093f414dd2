#!/bin/sh
# Unpacks the packages beside it under a prefix, and writes PREFIX/env.sh, which makes CMake, pkg-config and the loader look there first. Needs no root.
set -eu

fail() {
    printf '%s\n' "unpack: $*" >&2
    exit 1
}

[ $# -eq 1 ] || fail "expected one argument: the folder to unpack to, as in: sh unpack.sh \$HOME/dcps-packages"
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
case $prefix in
*[[:space:]\|]*) fail "a folder whose path has blanks or | does not work: $prefix" ;;
esac
ls "$here"/debs/*.deb >/dev/null 2>&1 || fail "no packages in $here/debs: was all of the folder copied?"

# A .deb is an ar archive around data.tar.xz; not every machine has dpkg-deb.
unpack_one() {
    if command -v dpkg-deb >/dev/null 2>&1; then
        dpkg-deb -x "$1" "$prefix"
    else
        data=$(ar t "$1" | grep '^data\.tar')
        case $data in
        *.xz) ar p "$1" "$data" | xz -d | tar -x -C "$prefix" ;;
        *) fail "$1 holds $data: expected data.tar.xz" ;;
        esac
    fi
}
for package in "$here"/debs/*.deb; do
    unpack_one "$package"
done

# Paths of Debian become paths under the prefix.
find "$prefix" -name '*.pc' -exec sed -i "s|=/usr|=$prefix/usr|g" {} +
find "$prefix" -type l -lname '/*' | while read -r link; do
    target=$(readlink "$link")
    [ ! -e "$prefix$target" ] || ln -sfn "$prefix$target" "$link"
done

lib=$prefix/usr/lib/x86_64-linux-gnu
[ -d "$lib" ] || fail "expected the libraries in $lib: these packages are not for this kind of processor"
cat >"$prefix/env.sh" <<END
# For the shell that builds and runs dcps: . $prefix/env.sh
export PATH="$prefix/usr/bin:\$PATH"
export PKG_CONFIG_PATH="$lib/pkgconfig:$prefix/usr/share/pkgconfig:\${PKG_CONFIG_PATH:-}"
export CMAKE_PREFIX_PATH="$prefix/usr:\${CMAKE_PREFIX_PATH:-}"
export LD_LIBRARY_PATH="$lib:$prefix/lib/x86_64-linux-gnu:\${LD_LIBRARY_PATH:-}"
END
[ ! -d "$prefix/usr/share/datasets" ] || cat >>"$prefix/env.sh" <<END
export DCPS_DATA="$prefix/usr/share/datasets/fashion-mnist"
END
printf '%s\n' "unpacked; now type: . $prefix/env.sh"
