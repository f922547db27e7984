// Patterns for paths in the syntax of Go's doublestar, matched in linear time.
// The one hard idea: a pattern becomes a small automaton all of whose positions move at once, so no
// pattern is exponential, and a folder walk can carry the positions down the tree and see that
// below a folder nothing can match.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// An immutable pattern; copying and use from several threads are fine. What it matches is a
// relative path whose elements are separated by one '/' each:
//   *            any characters within an element, none included
//   ?            one character within an element
//   **           as a whole element: any number of folders, none included; at the end of the
//                pattern: whatever is below, at least one element. Within an element it is *.
//   [a-z] [^a]   one character in or not in the set ([!a] is the same as [^a]), never '/'
//   {a,b/**}     any of the alternatives, which may nest and hold '/'
//   \x           the character x itself
// A character is one of UTF-8. A byte that is no part of one counts as a character of its own.
class Glob {
 public:
  // Resolves "." and ".." elements and repeated slashes like Go's path.Clean; inside braces "./"
  // only, the others are refused. InvalidArgument quoting the pattern if it is malformed, absolute,
  // leads above its start, is longer than kMaxPatternBytes or nests deeper than kMaxNesting.
  static absl::StatusOr<Glob> Parse(absl::string_view pattern);

  // Far beyond what a person writes; they bound the memory of the automaton.
  static constexpr size_t kMaxPatternBytes = size_t{64} * 1024;
  static constexpr size_t kMaxNesting = 100;

  bool Matches(absl::string_view path) const;

  // The positions in the pattern that are reached by the beginning of a path. A value; belongs to
  // the Glob that made it.
  class States;

  States Start() const;
  // The positions after `text`, which must not end inside a UTF-8 character.
  States Advance(const States& states, absl::string_view text) const;
  // Whether the path so far matches.
  bool Accepts(const States& states) const;
  // Whether some longer path could match. After "a/b/": whether anything below a/b could.
  bool CanContinue(const States& states) const;
  // True if whatever longer path matches. It may miss cases: only a final ** is looked for.
  bool MatchesAllBelow(const States& states) const;

 private:
  friend class GlobCompiler;

  // A position. "On c" consumes a character; "at once" does not, and leads only to later nodes.
  struct Node {
    enum Kind : uint8_t {
      kCharacter,  // on `value`: next
      kQuestion,   // on any but '/': next
      kSet,        // on a character of the set `value`: next
      kStar,       // on any but '/': stay. At once: next
      kFolders,    // at the start of a folder. On any but '/': next (kInFolder). At once: `value`
      kInFolder,   // inside a folder. On any but '/': stay. On '/': previous (kFolders)
      kRest,       // on any: stay, and next
      kFork,       // at once: next, and `value`
      kJump,       // at once: `value`
      kAccept,     // the last one
    };
    Kind kind;
    uint32_t value = 0;  // character, index into `sets_`, or index of a node
  };
  struct Set {
    bool negated = false;
    std::vector<std::pair<uint32_t, uint32_t>> ranges;  // both ends included

    bool Contains(uint32_t character) const;
  };

  Glob() = default;
  void Follow(size_t node, uint32_t character, States& next) const;
  void FollowAtOnce(States& states) const;

  std::vector<Node> nodes_;
  std::vector<Set> sets_;
};

class Glob::States {
 private:
  friend class Glob;
  explicit States(size_t nodes) : words_((nodes + 63) / 64, 0) {}
  void Add(size_t node) { words_[node / 64] |= uint64_t{1} << (node % 64); }
  void Remove(size_t node) { words_[node / 64] &= ~(uint64_t{1} << (node % 64)); }
  bool Has(size_t node) const { return (words_[node / 64] >> (node % 64) & 1) != 0; }
  // The first node from `node` on that is in the set; a number beyond all nodes if there is none.
  size_t Next(size_t node) const;

  absl::InlinedVector<uint64_t, 2> words_;
};

inline bool Glob::Matches(absl::string_view path) const { return Accepts(Advance(Start(), path)); }

// Takes the first character off `text`, which must not be empty. A byte that is no part of a UTF-8
// character becomes a number beyond Unicode.
uint32_t TakeCharacter(absl::string_view& text);

}  // namespace sparkles
