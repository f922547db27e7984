# Wrappers that make clang 19 a compiler for musl, and the toolchain file for CMake.
# Makes clang's resource directory: clang's own headers, and the compiler-rt that its recipe builds.
mkdir -p "$TOOLS" "$RESOURCES/lib/$TRIPLE" "$SYSROOT"
ln -sfn . "$SYSROOT/usr"  # clang looks for C++ headers below usr only
ln -sfn "$(clang-19 -print-resource-dir)/include" "$RESOURCES/include"

# Keeps paths of the build machine out of the libraries.
config="--target=$TARGET-linux-musl --sysroot=$SYSROOT -resource-dir=$RESOURCES \
-ffile-prefix-map=$TREE=/build"
for name in cc:clang-19:'' c++:clang++-19:'-stdlib=libc++'; do
  wrapper=${name%%:*} rest=${name#*:}
  cat > "$TOOLS/$wrapper" <<WRAPPER
#!/bin/sh
exec ${rest%%:*} $config ${rest#*:} -rtlib=compiler-rt -unwindlib=libunwind -fuse-ld=lld \\
  -Qunused-arguments "\$@"
WRAPPER
  chmod +x "$TOOLS/$wrapper"
done

cat > "$TOOLS/toolchain.cmake" <<CMAKE
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $TARGET)
set(CMAKE_C_COMPILER $TOOLS/cc)
set(CMAKE_CXX_COMPILER $TOOLS/c++)
set(CMAKE_AR llvm-ar-19)
set(CMAKE_RANLIB llvm-ranlib-19)
set(CMAKE_C_FLAGS_INIT "$LIB_FLAGS")
set(CMAKE_CXX_FLAGS_INIT "$LIB_FLAGS")
set(CMAKE_ASM_FLAGS_INIT "$LIB_FLAGS")
# Never uses the machine's own libraries, which are for another C library.
set(CMAKE_FIND_ROOT_PATH $SYSROOT)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
CMAKE
