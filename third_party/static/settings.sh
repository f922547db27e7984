# What all steps of the static lane share; sourced. TARGET is x86_64 (default) or aarch64.
# Everything that is fetched or built lies outside the source tree, below $CACHE; removing that
# folder starts over.
set -eu

TARGET=${TARGET:-x86_64}
case $TARGET in
  x86_64 | aarch64) ;;
  *) echo "TARGET=$TARGET is neither x86_64 nor aarch64" >&2; exit 2 ;;
esac
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${SPARKLES_STATIC_CACHE:-${XDG_CACHE_HOME:-${HOME:?has no folder: set SPARKLES_STATIC_CACHE}/.cache}/sparklesworker/static}
SOURCES=$CACHE/sources         # the packages as Debian publishes them
TREE=$CACHE/$TARGET            # all that is built for one target
SYSROOT=$TREE/sysroot          # headers and archives, musl's and all libraries'
RESOURCES=$TREE/resources      # clang's resource folder: its headers, our compiler-rt
TOOLS=$TREE/tools              # compiler wrappers and the CMake toolchain file
WORK=$TREE/work                # unpacked sources and build folders
LICENCES=$TREE/licences        # debian/copyright of every source package, by its name
TRIPLE=$TARGET-unknown-linux-musl
JOBS=${JOBS:-$(nproc)}

# PIE throughout, sections that the linker can drop, hardening. Small rather than fast: what takes
# time in these libraries is assembler (OpenSSL) or asks for it itself (musl). Line tables only: the
# debug file of the worker is for stack traces.
LIB_FLAGS="-Os -gline-tables-only -fPIE -ffunction-sections -fdata-sections \
-fstack-protector-strong"

# The same bytes from every build: dates that a library writes into itself are this one, and sorting
# does not depend on who builds.
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C
# What the one who builds, or our own Makefile, has set is not meant for libraries.
unset CPPFLAGS CFLAGS CXXFLAGS LDFLAGS CPATH LIBRARY_PATH MAKEFLAGS MFLAGS MAKELEVEL

# The version that fetch.sh got: the pinned one, unless the archive has it no longer.
version_of() { awk -v package="$1" '$1 == package { print $2 }' "$CACHE/resolved.txt"; }

# Everything that a package's .dsc lists is there and has its checksum.
is_complete() { # PACKAGE VERSION
  dsc=$SOURCES/$1_${2#*:}.dsc
  [ -f "$dsc" ] || return 1
  awk '/^Checksums-Sha256:/ { on = 1; next } /^[^ ]/ { on = 0 } on { print $1 "  " $3 }' "$dsc" |
    (cd "$SOURCES" && sha256sum --quiet --check - > /dev/null 2>&1)
}

say() { echo "static ($TARGET): $*"; }
fail() { echo "static ($TARGET): $*" >&2; exit 1; }

case $CACHE in
  *[[:space:]]*) fail "$CACHE has a space, which not all build systems of the libraries can take;" \
    "SPARKLES_STATIC_CACHE names another folder" ;;
  /*) ;;
  *) fail "SPARKLES_STATIC_CACHE is not an absolute path: $CACHE" ;;
esac
