unpack abseil
cmake_build abseil "$WORK/abseil" -DCMAKE_CXX_STANDARD=20 -DABSL_PROPAGATE_CXX_STD=ON \
  -DBUILD_TESTING=OFF
cmake --install "$WORK/abseil.build"
# Debian's patch names a library that some processors need; compiler-rt has no such.
sed -i 's/ *-latomic//' "$SYSROOT"/lib/pkgconfig/absl_*.pc
