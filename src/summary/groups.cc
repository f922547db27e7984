#include "summary/groups.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace sparkles {

std::vector<size_t> SortIndices(std::vector<size_t> indices,
                                absl::FunctionRef<bool(size_t a, size_t b)> before) {
  std::sort(indices.begin(), indices.end(), [&](size_t a, size_t b) {
    if (before(a, b)) return true;
    return !before(b, a) && a < b;
  });
  return indices;
}

std::vector<Group> GroupBy(size_t count, absl::FunctionRef<std::string(size_t row)> key_of) {
  std::map<std::string, size_t> place_of;
  std::vector<Group> groups;
  for (size_t row = 0; row < count; ++row) {
    std::string key = key_of(row);
    if (key.empty()) continue;
    const auto [found, is_new] = place_of.try_emplace(key, groups.size());
    if (is_new) groups.push_back({std::move(key), 0, row});
    ++groups[found->second].count;
  }
  std::vector<size_t> order(groups.size());
  std::iota(order.begin(), order.end(), 0);
  order = SortIndices(std::move(order),
                      [&](size_t a, size_t b) { return groups[a].count > groups[b].count; });
  std::vector<Group> sorted;
  for (const size_t place : order) sorted.push_back(std::move(groups[place]));
  return sorted;
}

}  // namespace sparkles
