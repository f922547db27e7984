# The compiler's functions for arithmetic, and the object files at the start and end of a program.
unpack llvm-toolchain-19
cmake_build compiler-rt "$WORK/llvm/compiler-rt/lib/builtins" \
  $PROBE_BY_COMPILING \
  -DCOMPILER_RT_DEFAULT_TARGET_ONLY=ON -DCMAKE_C_COMPILER_TARGET="$TRIPLE" \
  -DCOMPILER_RT_BUILD_CRT=ON -DCOMPILER_RT_HAS_CRT=ON -DLLVM_CMAKE_DIR=/usr/lib/llvm-19/lib/cmake/llvm
find "$WORK/compiler-rt.build" -name 'libclang_rt.builtins*.a' \
  -exec cp {} "$RESOURCES/lib/$TRIPLE/libclang_rt.builtins.a" \;
for part in begin end; do
  find "$WORK/compiler-rt.build" -name "clang_rt.crt$part*.o" \
    -exec cp {} "$RESOURCES/lib/$TRIPLE/clang_rt.crt$part.o" \;
done
ls "$RESOURCES/lib/$TRIPLE/clang_rt.crtend.o" "$RESOURCES/lib/$TRIPLE/libclang_rt.builtins.a"
