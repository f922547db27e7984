# Settings of all steps of the static lane; sourced. TARGET is x86_64 (default) or aarch64.
# All fetched and built files are below $CACHE, outside the source tree. To start over, remove that
# directory.
set -eu

TARGET=${TARGET:-x86_64}
case $TARGET in
  x86_64 | aarch64) ;;
  *) echo "TARGET=$TARGET is neither x86_64 nor aarch64" >&2; exit 2 ;;
esac
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${SPARKLES_STATIC_CACHE:-${XDG_CACHE_HOME:-${HOME:?has no folder: set SPARKLES_STATIC_CACHE}/.cache}/sparklesworker/static}
SOURCES=$CACHE/sources         # the packages as Debian publishes them
TREE=$CACHE/$TARGET            # all files that are built for one target
SYSROOT=$TREE/sysroot          # headers and archives of musl and of all libraries
RESOURCES=$TREE/resources      # clang's resource directory: its headers, our compiler-rt
TOOLS=$TREE/tools              # compiler wrappers and the CMake toolchain file
WORK=$TREE/work                # unpacked sources and build directories
LICENCES=$TREE/licences        # debian/copyright of every source package, by its name
TRIPLE=$TARGET-unknown-linux-musl
JOBS=${JOBS:-$(nproc)}

# PIE, sections that the linker can drop, hardening. The libraries are optimised for size:
# their slow parts are assembler (OpenSSL) or set their own level (musl). Line tables are enough for
# the stack traces that the worker's debug file is for.
LIB_FLAGS="-Os -gline-tables-only -fPIE -ffunction-sections -fdata-sections \
-fstack-protector-strong"

# Makes builds reproducible: libraries that store a date store this one, and the sort order does not
# depend on the user's locale.
export SOURCE_DATE_EPOCH=1700000000 LC_ALL=C
# Flags from the environment or from the project's Makefile are not for the libraries.
unset CPPFLAGS CFLAGS CXXFLAGS LDFLAGS CPATH LIBRARY_PATH MAKEFLAGS MFLAGS MAKELEVEL

# The version that fetch.sh fetched: the pinned one, or a later one if the archive dropped it.
version_of() { awk -v package="$1" '$1 == package { print $2 }' "$CACHE/resolved.txt"; }

# True if each file of a package's .dsc is there and has its checksum.
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
