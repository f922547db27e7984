// Sorts indices, and groups rows by a text.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace sparkles {

// `indices` in the order of `before`. Equal ones are in the order of the numbers.
std::vector<size_t> SortIndices(std::vector<size_t> indices,
                                absl::FunctionRef<bool(size_t a, size_t b)> before);

struct Group {
  std::string key;
  size_t count = 0;
  size_t first = 0;  // the index of the first row
};

// Groups the rows 0 to `count` - 1 by their keys, the largest group first. A row with an empty key
// is in no group.
std::vector<Group> GroupBy(size_t count, absl::FunctionRef<std::string(size_t row)> key_of);

}  // namespace sparkles
