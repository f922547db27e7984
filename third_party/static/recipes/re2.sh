# Debian's tarball lacks the tables that upstream generates; they are made from unicode-data.
unpack re2
make -C "$WORK/re2" REBUILD_TABLES=1 \
  re2/perl_groups.cc re2/unicode_casefold.cc re2/unicode_groups.cc
cmake_build re2 "$WORK/re2" -DCMAKE_CXX_STANDARD=17 -DBUILD_SHARED_LIBS=OFF -DRE2_BUILD_TESTING=OFF
cmake --install "$WORK/re2.build"
