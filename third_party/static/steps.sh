# Functions for recipes.

dsc_of() { version=$(version_of "$1"); echo "$SOURCES/$1_${version#*:}.dsc"; }

# Source files may stay in the cache for months. The next run fetches lost or damaged ones again.
check_sources() {
  version=$(version_of "$1")
  is_complete "$1" "$version" && return
  rm -f "$CACHE/fetched"
  fail "the sources of $1 $version are gone or damaged in $SOURCES; the next run fetches them anew"
}

# Unpacks a source package with Debian's patches into $WORK/NAME, and keeps its licence.
unpack() {
  check_sources "$1"
  case $1 in llvm-toolchain-19) unpack_llvm; return ;; esac
  rm -rf "$WORK/$1"
  mkdir -p "$WORK"
  dpkg-source --no-check -q -x "$(dsc_of "$1")" "$WORK/$1"
  cp "$WORK/$1/debian/copyright" "$LICENCES/$1"
}

# Unpacks only the directories that the runtimes need, 10% of LLVM's tarball. Debian's patches of
# them are for other systems and are left out. Two recipes use the result, so it stays.
unpack_llvm() {
  version=$(version_of llvm-toolchain-19)
  [ "$(cat "$WORK/llvm/version" 2> /dev/null)" != "$version" ] || return 0
  rm -rf "$WORK/llvm"
  pinned=$version
  version=${version#*:}
  top=llvm-toolchain-19_${version%-*}
  rm -rf "$WORK/llvm.new"
  mkdir -p "$WORK/llvm.new"
  tar -C "$WORK/llvm.new" --strip-components=1 -xf "$SOURCES/$top.orig.tar.xz" \
    "$top/cmake" "$top/compiler-rt" "$top/libcxx" "$top/libcxxabi" "$top/libunwind" \
    "$top/runtimes" "$top/llvm/cmake"
  tar -xOf "$SOURCES/llvm-toolchain-19_$version.debian.tar.xz" debian/copyright \
    > "$LICENCES/llvm-toolchain-19"
  echo "$pinned" > "$WORK/llvm.new/version"
  mv "$WORK/llvm.new" "$WORK/llvm"
}

# Before the C library exists, CMake's probes can compile but not link.
PROBE_BY_COMPILING=-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY

# cmake_configure NAME SOURCE [OPTION...]: into $WORK/NAME.build.
cmake_configure() {
  name=$1 source=$2
  shift 2
  rm -rf "$WORK/$name.build"
  cmake -S "$source" -B "$WORK/$name.build" -G Ninja -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_TOOLCHAIN_FILE="$TOOLS/toolchain.cmake" -DCMAKE_INSTALL_PREFIX="$SYSROOT" \
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_POSITION_INDEPENDENT_CODE=ON "$@"
}

# As cmake_configure, and builds all targets.
cmake_build() {
  cmake_configure "$@"
  cmake --build "$WORK/$1.build" -j "$JOBS"
}

# CMake writes absolute paths of archives into pkg-config's files. This replaces them by -lNAME.
name_libraries() { # FILE...
  sed -i "s|[^ ]*/lib\([a-zA-Z0-9_+-]*\)\.a|-l\1|g" "$@"
}

# precompile CMAKELISTS TARGETS < HEADERS: adds a precompiled header to these targets. Nearly all
# of their C++ files read the same headers, which takes longer than the rest. With the headers and
# their templates compiled once, gRPC builds 2.8 times as fast.
precompile() {
  headers=$(dirname "$1")/precompiled.h
  cat > "$headers"
  for target in $2; do
    echo "target_precompile_headers($target PRIVATE \$<\$<COMPILE_LANGUAGE:CXX>:$headers>)"
  done >> "$1"
}
