# Only the parts that TLS clients and servers need. no-module and no-dso: a static program cannot
# load libraries.
unpack openssl
cd "$WORK/openssl"
# OpenSSL writes the compiler's name and its own directories into the library. It is built for /usr,
# so that these are not paths of the build machine.
PATH=$TOOLS:$PATH
CC=cc AR=llvm-ar-19 RANLIB=llvm-ranlib-19 perl ./Configure "linux-$TARGET" \
  --prefix=/usr --libdir=lib --openssldir=/etc/ssl \
  no-shared no-tests no-engine no-dso no-module no-legacy no-dtls no-comp no-async \
  no-afalgeng no-camellia no-seed no-idea no-bf no-cast no-rc2 no-rc4 no-mdc2 no-rmd160 \
  no-whirlpool no-sm2 no-sm3 no-sm4 no-aria no-srp no-psk no-gost no-ssl3 no-cms no-ts no-ocsp \
  no-blake2 no-scrypt no-siphash no-ct no-srtp no-ui-console $LIB_FLAGS -fno-asynchronous-unwind-tables -fno-unwind-tables
make -j"$JOBS" build_libs
make install_dev DESTDIR="$SYSROOT"
for module in libcrypto libssl openssl; do
  sed -i "s|^prefix=.*|prefix=$SYSROOT|" "$SYSROOT/lib/pkgconfig/$module.pc"
done
