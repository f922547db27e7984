# The C library, and the kernel's headers beside it.
unpack musl
cd "$WORK/musl"
CC="$TOOLS/cc" AR=llvm-ar-19 RANLIB=llvm-ranlib-19 CFLAGS="$LIB_FLAGS" \
  ./configure --target="$TARGET-linux-musl" --prefix="$SYSROOT" --syslibdir="$SYSROOT/lib" \
  --disable-shared --disable-wrapper
make -j"$JOBS" install

headers=/usr/include
machine=$headers/$TARGET-linux-gnu
[ -d "$machine/asm" ] || machine=/usr/$TARGET-linux-gnu/include  # the cross package's
[ -d "$machine/asm" ] || fail "no kernel headers for $TARGET: install linux-libc-dev-arm64-cross"
cp -R "$headers/linux" "$headers/asm-generic" "$SYSROOT/include/"
cp -R "$machine/asm" "$SYSROOT/include/"
