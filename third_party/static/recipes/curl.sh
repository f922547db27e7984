# builds on: zlib openssl
unpack curl
# The configure step tests poll by running a program, which a cross build cannot do. Without poll,
# libcurl uses select, which cannot wait for descriptors above 1,023.
cmake_build curl "$WORK/curl" -DHTTP_ONLY=ON -DCURL_USE_OPENSSL=ON -DBUILD_CURL_EXE=OFF \
  -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF -DENABLE_MANUAL=OFF -DCURL_USE_LIBSSH2=OFF \
  -DUSE_LIBIDN2=OFF -DCURL_USE_LIBPSL=OFF -DUSE_NGHTTP2=OFF -DCURL_ZLIB=ON -DCURL_BROTLI=OFF \
  -DCURL_ZSTD=OFF -DCURL_CA_BUNDLE=none -DCURL_CA_PATH=none -DENABLE_UNIX_SOCKETS=OFF \
  -DHAVE_POLL_FINE=1 -DCURL_DISABLE_ALTSVC=ON -DCURL_DISABLE_HSTS=ON -DCURL_DISABLE_NETRC=ON
cmake --install "$WORK/curl.build"
name_libraries "$SYSROOT/lib/pkgconfig/libcurl.pc"
