# builds on: zlib openssl abseil protobuf
# gRPC, server and client. xDS and RLS are left out: only clients of a service mesh need them, and
# they are half of gRPC. Macros remove their registration, so no other file refers to theirs. RE2 is
# left out too, because only xDS and RLS use it. gRPC resolves host names through musl; its c-ares
# resolver is not built.
unpack grpc
generated='ext/(upb|upbdefs)-generated/(envoy|udpa|opencensus|xds/(annotations|core|type))/'
mesh='ext/xds/|lb_policy/(xds|rls)/|resolver/(xds|google_c2p)/|filters/rbac/|credentials/xds/'
rules='lib/matchers/|authorization/(grpc_authorization_engine|matchers|rbac_policy)'
sed -E -i "\\#^  src/core/.*($generated|$mesh|$rules)#d" "$WORK/grpc/CMakeLists.txt"

precompile "$WORK/grpc/CMakeLists.txt" "grpc grpc++" <<HEADERS
#include <grpc/support/port_platform.h>
#include <algorithm>
#include <atomic>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "absl/types/variant.h"
#include "src/core/lib/channel/channel_stack.h"
#include "src/core/lib/json/json.h"
#include "src/core/lib/surface/call.h"
#include "src/core/lib/transport/transport.h"
HEADERS

plugins=""
for language in CPP CSHARP NODE OBJECTIVE_C PHP PYTHON RUBY; do
  plugins="$plugins -DgRPC_BUILD_GRPC_${language}_PLUGIN=OFF"
done
providers=""
for library in ABSL PROTOBUF SSL ZLIB; do
  providers="$providers -DgRPC_${library}_PROVIDER=package"
done
providers="$providers -DgRPC_CARES_PROVIDER=none -DgRPC_RE2_PROVIDER=none"
# clang 19 has errors that this release does not expect. CMake only checks that libprotoc exists.
cmake_configure grpc "$WORK/grpc" $plugins $providers -DCMAKE_CXX_STANDARD=17 \
  -DCMAKE_CXX_FLAGS="$LIB_FLAGS -fno-exceptions -DGRPC_NO_XDS -DGRPC_NO_RLS -DGRPC_ARES=0 \
-Wno-missing-template-arg-list-after-template-kw -Wno-deprecated-declarations" \
  -DgRPC_BUILD_TESTS=OFF -DgRPC_INSTALL=OFF -DgRPC_BUILD_CODEGEN=ON -DBUILD_SHARED_LIBS=OFF \
  -DProtobuf_PROTOC_EXECUTABLE=/usr/bin/protoc -D_gRPC_CPP_PLUGIN=/usr/bin/grpc_cpp_plugin \
  -DProtobuf_PROTOC_LIBRARY="$SYSROOT/lib/libprotobuf.a"
cmake --build "$WORK/grpc.build" -j "$JOBS" --target grpc++

# The install rules need all targets, so this copies the ones that were built.
for library in grpc++ grpc gpr upb address_sorting; do
  cp "$WORK/grpc.build/lib$library.a" "$SYSROOT/lib/"
done
cp -R "$WORK/grpc/include/grpc" "$WORK/grpc/include/grpcpp" "$SYSROOT/include/"
for module in grpc++ grpc gpr; do
  cp "$WORK/grpc.build/libs/opt/pkgconfig/$module.pc" "$SYSROOT/lib/pkgconfig/"
done
name_libraries "$SYSROOT/lib/pkgconfig/grpc++.pc" "$SYSROOT/lib/pkgconfig/grpc.pc"
sed -i "s/ -lre2\>//; s/ -lcares\>//" "$SYSROOT/lib/pkgconfig/grpc.pc"
