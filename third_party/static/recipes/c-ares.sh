# Resolves host names. musl of Debian 12 cannot read long answers (it has no TCP for DNS), and finds
# no address if the IPv6 query fails.
unpack c-ares
cmake_build c-ares "$WORK/c-ares" -DCARES_STATIC=ON -DCARES_SHARED=OFF -DCARES_STATIC_PIC=ON \
  -DCARES_BUILD_TOOLS=OFF -DCARES_BUILD_TESTS=OFF
cmake --install "$WORK/c-ares.build"
