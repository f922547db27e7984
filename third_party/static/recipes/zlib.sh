unpack zlib
cd "$WORK/zlib"
CC="$TOOLS/cc" AR=llvm-ar-19 RANLIB=llvm-ranlib-19 CFLAGS="$LIB_FLAGS" \
  ./configure --static --prefix="$SYSROOT"
make -j"$JOBS" libz.a
cp libz.a "$SYSROOT/lib/"
cp zlib.h zconf.h "$SYSROOT/include/"
