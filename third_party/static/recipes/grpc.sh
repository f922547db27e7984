# builds on: zlib openssl abseil c-ares re2 protobuf
# The server, its client side and reflection, built on what earlier recipes made. Without xDS and
# RLS, which only clients of a service mesh need and which are half of it: their macros take them out
# of what is registered at the start, and so nothing refers to their files.
unpack grpc
generated='ext/(upb|upbdefs)-generated/(envoy|udpa|opencensus|xds/(annotations|core|type))/'
mesh='ext/xds/|lb_policy/(xds|rls)/|resolver/(xds|google_c2p)/|filters/rbac/|credentials/xds/'
sed -E -i "\\#^  src/core/.*($generated|$mesh)#d" "$WORK/grpc/CMakeLists.txt"
plugins=""
for language in CPP CSHARP NODE OBJECTIVE_C PHP PYTHON RUBY; do
  plugins="$plugins -DgRPC_BUILD_GRPC_${language}_PLUGIN=OFF"
done
providers=""
for library in ABSL CARES PROTOBUF RE2 SSL ZLIB; do
  providers="$providers -DgRPC_${library}_PROVIDER=package"
done
# clang 19 is stricter than this release; of libprotoc only the presence is looked at.
cmake_configure grpc "$WORK/grpc" $plugins $providers -DCMAKE_CXX_STANDARD=17 \
  -DCMAKE_CXX_FLAGS="$LIB_FLAGS -fno-exceptions -DGRPC_NO_XDS -DGRPC_NO_RLS \
-Wno-missing-template-arg-list-after-template-kw -Wno-deprecated-declarations" \
  -DgRPC_BUILD_TESTS=OFF -DgRPC_INSTALL=ON -DgRPC_BUILD_CODEGEN=ON -DBUILD_SHARED_LIBS=OFF \
  -DProtobuf_PROTOC_EXECUTABLE=/usr/bin/protoc -D_gRPC_CPP_PLUGIN=/usr/bin/grpc_cpp_plugin \
  -DProtobuf_PROTOC_LIBRARY="$SYSROOT/lib/libprotobuf.a"
cmake --build "$WORK/grpc.build" -j "$JOBS" --target grpc++ grpc++_reflection

# The install rules want all targets; these are the ones that were built.
for library in grpc++ grpc++_reflection grpc gpr upb address_sorting; do
  cp "$WORK/grpc.build/lib$library.a" "$SYSROOT/lib/"
done
cp -R "$WORK/grpc/include/grpc" "$WORK/grpc/include/grpcpp" "$SYSROOT/include/"
for module in grpc++ grpc gpr; do
  cp "$WORK/grpc.build/libs/opt/pkgconfig/$module.pc" "$SYSROOT/lib/pkgconfig/"
done
name_libraries "$SYSROOT/lib/pkgconfig/grpc++.pc" "$SYSROOT/lib/pkgconfig/grpc.pc"
