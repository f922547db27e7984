# The library only: Debian's protoc has the same version and generates our code.
unpack protobuf
cmake_build protobuf "$WORK/protobuf" -DCMAKE_CXX_STANDARD=17 \
  -DCMAKE_CXX_FLAGS="$LIB_FLAGS -fno-exceptions" -Dprotobuf_BUILD_TESTS=OFF \
  -Dprotobuf_BUILD_PROTOC_BINARIES=OFF -Dprotobuf_BUILD_SHARED_LIBS=OFF -Dprotobuf_WITH_ZLIB=OFF
cmake --install "$WORK/protobuf.build"
