# Finds the addresses of hosts: musl of Debian 12 has no TCP for long answers, and finds nothing where
# the IPv6 half of a question fails.
unpack c-ares
cmake_build c-ares "$WORK/c-ares" -DCARES_STATIC=ON -DCARES_SHARED=OFF -DCARES_STATIC_PIC=ON \
  -DCARES_BUILD_TOOLS=OFF -DCARES_BUILD_TESTS=OFF
cmake --install "$WORK/c-ares.build"
