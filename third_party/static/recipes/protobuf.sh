# The library only. Debian's protoc has the same version and generates the code.
unpack protobuf
precompile "$WORK/protobuf/CMakeLists.txt" libprotobuf <<HEADERS
#include <algorithm>
#include <atomic>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/map_field.h>
#include <google/protobuf/message.h>
#include <google/protobuf/wire_format.h>
HEADERS
cmake_build protobuf "$WORK/protobuf" -DCMAKE_CXX_STANDARD=17 \
  -DCMAKE_CXX_FLAGS="$LIB_FLAGS -fno-exceptions" -Dprotobuf_BUILD_TESTS=OFF \
  -Dprotobuf_BUILD_PROTOC_BINARIES=OFF -Dprotobuf_BUILD_SHARED_LIBS=OFF -Dprotobuf_WITH_ZLIB=OFF
cmake --install "$WORK/protobuf.build"
