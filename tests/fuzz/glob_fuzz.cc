// Fuzzes the matching of patterns. The input is a pattern, a line end and a path. Matching must
// end, agree with a simple matcher where that is fast enough, and agree with the states of a walk.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/glob.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

// A simple, exponential matcher for one element without braces.
bool NaiveElement(absl::string_view pattern, absl::string_view name);

// The rest of NaiveElement for a pattern that begins with '['.
bool NaiveSet(absl::string_view pattern, absl::string_view name) {
  size_t i = 1;
  const bool negated = pattern[i] == '^' || pattern[i] == '!';
  if (negated) ++i;
  bool listed = false;
  const auto member = [&] {
    if (pattern[i] == '\\') ++i;
    return pattern[i++];
  };
  while (pattern[i] != ']') {
    const char first = member();
    const bool range = pattern[i] == '-';
    if (range) ++i;
    const char last = range ? member() : first;
    listed = listed || (first <= name[0] && name[0] <= last);
  }
  return listed != negated && NaiveElement(pattern.substr(i + 1), name.substr(1));
}

bool NaiveElement(absl::string_view pattern, absl::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    return NaiveElement(pattern.substr(1), name) ||
           (!name.empty() && NaiveElement(pattern, name.substr(1)));
  }
  if (name.empty()) return false;
  if (pattern[0] == '[') return NaiveSet(pattern, name);
  if (pattern[0] == '?') return NaiveElement(pattern.substr(1), name.substr(1));
  if (pattern[0] == '\\') pattern.remove_prefix(1);
  return pattern[0] == name[0] && NaiveElement(pattern.substr(1), name.substr(1));
}

using Elements = std::vector<std::string>;

bool NaivePath(const Elements& pattern, size_t p, const Elements& path, size_t n) {
  if (p == pattern.size()) return n == path.size();
  if (pattern[p] == "**") {
    if (p + 1 == pattern.size()) return n < path.size();
    return NaivePath(pattern, p + 1, path, n) ||
           (n < path.size() && NaivePath(pattern, p, path, n + 1));
  }
  return n < path.size() && NaiveElement(pattern[p], path[n]) &&
         NaivePath(pattern, p + 1, path, n + 1);
}

// True if the simple matcher supports the pattern and is fast enough.
bool IsSimple(absl::string_view pattern, absl::string_view path) {
  const auto ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  return pattern.size() <= 32 && path.size() <= 32 && !pattern.empty() && !path.empty() &&
         std::all_of(pattern.begin(), pattern.end(), ascii) &&
         std::all_of(path.begin(), path.end(), ascii) &&
         std::count(pattern.begin(), pattern.end(), '*') <= 6 && !absl::StrContains(pattern, '{') &&
         !absl::StrContains(pattern, '.') && !absl::StrContains(pattern, "//") &&
         pattern.back() != '/' && !absl::StrContains(path, "//") && path[0] != '/' &&
         path.back() != '/';
}

void CheckWalk(const Glob& glob, absl::string_view path, bool matches) {
  Glob::States states = glob.Start();
  size_t begin = 0;
  for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', begin)) {
    states = glob.Advance(states, path.substr(begin, slash + 1 - begin));
    begin = slash + 1;
    if (begin == path.size()) break;
    Require(!matches || glob.CanContinue(states), "no directory above a match is pruned");
    Require(matches || !glob.MatchesAllBelow(states), "all below means all");
  }
  states = glob.Advance(states, path.substr(begin));
  Require(glob.Accepts(states) == matches, "in pieces as in one");
}

void Check(absl::string_view pattern, absl::string_view path) {
  const absl::StatusOr<Glob> glob = Glob::Parse(pattern);
  if (!glob.ok()) {
    Require(absl::IsInvalidArgument(glob.status()), "a bad pattern is InvalidArgument");
    return;
  }
  const bool matches = glob->Matches(path);
  CheckWalk(*glob, path, matches);
  if (!IsSimple(pattern, path)) return;
  const bool expected = NaivePath(absl::StrSplit(pattern, '/'), 0, absl::StrSplit(path, '/'), 0);
  Require(matches == expected, "agrees with the obvious matcher");
  if (pattern.find_first_of(",}") != pattern.npos) return;
  const std::string twice = absl::StrCat("{", pattern, ",", pattern, "}");
  const absl::StatusOr<Glob> braced = Glob::Parse(twice);
  Require(!braced.ok() || braced->Matches(path) == expected,
          "the same twice in braces is the same");
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line_end = std::min(input.find('\n'), size);
  sparkles::Check(input.substr(0, line_end), input.substr(std::min(line_end + 1, size)));
  return 0;
}
