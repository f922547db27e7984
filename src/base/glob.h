// Matches paths with patterns in the syntax of Go's doublestar, in linear time.
// A pattern becomes an automaton, and all its states advance together, so no pattern takes
// exponential time. A directory walk keeps the states and skips a directory below which no path can
// match.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// An immutable pattern. Thread-safe and copyable. The pattern matches a relative path with elements
// that are separated by one '/':
//    *            any number of characters within an element
//    ?            one character within an element
//    **           as a whole element: any number of directories. At the end of the pattern:
//                 everything below, at least one element. Within an element: the same as *
//    [a-z] [^a]   one character in or not in the set ([!a] is the same as [^a]), never '/'
//    {a,b/**}     any of the alternatives, which may nest and contain '/'
//    \x           the character x itself
// A character is a UTF-8 character. A byte that is not part of one counts as a character.
class Glob {
 public:
  // Resolves "." and ".." elements and repeated slashes like Go's path.Clean. Inside braces it
  // resolves "./" and refuses the others. InvalidArgument, with the pattern, if the pattern is
  // malformed, absolute, leads above its start, is longer than kMaxPatternBytes or nests deeper
  // than kMaxNesting.
  static absl::StatusOr<Glob> Parse(absl::string_view pattern);

  // Limits for the memory of the automaton, far above the needs of a person.
  static constexpr size_t kMaxPatternBytes = size_t{64} * 1024;
  static constexpr size_t kMaxNesting = 100;

  bool Matches(absl::string_view path) const;

  // The states in the pattern after the beginning of a path. A value; belongs to its Glob.
  class States;

  States Start() const;
  // The states after `text`, which must not end inside a UTF-8 character.
  States Advance(const States& states, absl::string_view text) const;
  // True if the path so far matches.
  bool Accepts(const States& states) const;
  // True if a longer path could match. After "a/b/": if a path below a/b could match.
  bool CanContinue(const States& states) const;
  // True if every longer path matches. May return false although it is so: only a final ** is
  // detected.
  bool MatchesAllBelow(const States& states) const;

 private:
  friend class GlobCompiler;

  // A state of the automaton. "On a character" means: the character is consumed, and the given node
  // becomes active. "At once" means: the node becomes active, too, and no character is consumed.
  // Steps at once lead only to later nodes. "Next" is the node after this one.
  struct Node {
    enum Kind : uint8_t {
      kCharacter,    // on the character `value`: next
      kQuestion,     // on a character except '/': next
      kSet,          // on a character of the set `value`: next
      kStar,         // on a character except '/': this node. At once: next
      kDirectories,  // where a directory's name can begin. On a character except '/': next, a
                     // kInDirectory. At once: the node `value`
      kInDirectory,  // inside a directory's name. On a character except '/': this node. On '/': the
                     // previous node, a kDirectories
      kRest,         // on any character: this node and next
      kFork,         // at once: next and the node `value`
      kJump,         // at once: the node `value`
      kAccept,       // the pattern matches; the last node
    };
    Kind kind;
    uint32_t value = 0;  // the character, an index into `sets_`, or the index of a node
  };
  struct Set {
    bool negated = false;
    std::vector<std::pair<uint32_t, uint32_t>> ranges;  // both ends are included

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
  // The first node in the set that is not before `node`. A number above all nodes if there is none.
  size_t Next(size_t node) const;

  absl::InlinedVector<uint64_t, 2> words_;
};

inline bool Glob::Matches(absl::string_view path) const { return Accepts(Advance(Start(), path)); }

// Takes the first character off `text`, which must not be empty. A byte that is not part of a UTF-8
// character becomes a number above Unicode.
uint32_t TakeCharacter(absl::string_view& text);

}  // namespace sparkles
