unpack abseil

# Like precompile in steps.sh, but for all of Abseil's small libraries at once. The library "random"
# is left out, because some of its files have their own processor options.
cat > "$WORK/abseil/precompiled.h" <<HEADERS
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>
HEADERS
"$TOOLS/c++" $LIB_FLAGS -fPIC -std=gnu++20 -fpch-instantiate-templates -x c++-header \
  -o "$WORK/abseil/precompiled.pch" "$WORK/abseil/precompiled.h"
sed -i "s|^add_subdirectory(absl)|add_compile_options(-include-pch $WORK/abseil/precompiled.pch)\n&|" \
  "$WORK/abseil/CMakeLists.txt"
sed -i '1i set_property(DIRECTORY PROPERTY COMPILE_OPTIONS)' "$WORK/abseil/absl/random/CMakeLists.txt"

cmake_build abseil "$WORK/abseil" -DCMAKE_CXX_STANDARD=20 -DABSL_PROPAGATE_CXX_STD=ON \
  -DBUILD_TESTING=OFF
cmake --install "$WORK/abseil.build"
# Debian's patch names libatomic. compiler-rt has no such library, and the targets do not need it.
sed -i 's/ *-latomic//' "$SYSROOT"/lib/pkgconfig/absl_*.pc
