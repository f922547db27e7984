// Parses patterns: text -> tokens -> elements without "." and ".." -> automaton.
// No step recurses, so a hostile pattern cannot overflow the stack.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/glob.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

struct Token {
  enum Kind : uint8_t {
    kCharacter,
    kQuestion,
    kSet,
    kStar,
    kDoubleStar,
    kSlash,
    kOpen,
    kComma,
    kClose
  };
  Kind kind;
  uint32_t value = 0;  // the character, or the index of the set
};
using Tokens = std::vector<Token>;

constexpr size_t kNone = static_cast<size_t>(-1);

absl::Status Malformed(absl::string_view reason) { return absl::InvalidArgumentError(reason); }

// The number of dots from `i` on.
size_t CountDots(const Tokens& tokens, size_t i) {
  size_t end = i;
  while (end < tokens.size() && tokens[end].kind == Token::kCharacter && tokens[end].value == '.') {
    ++end;
  }
  return end - i;
}

// Appends `element` to `path` as path.Clean does. `starts` has the start in `path` of each element,
// including its slash.
absl::Status AppendElement(const Tokens& element, Tokens& path, std::vector<size_t>& starts) {
  const size_t dots = CountDots(element, 0);
  const bool only_dots = dots == element.size();
  if (only_dots && dots <= 1) return absl::OkStatus();
  if (only_dots && dots == 2) {
    if (starts.empty()) return Malformed("leads outside of the work directory");
    for (size_t i = starts.back() + 1; i < path.size(); ++i) {
      // The number of elements in such braces depends on the matched path.
      if (path[i].kind == Token::kSlash) return Malformed("'..' after braces that hold a '/'");
    }
    path.resize(starts.back());
    starts.pop_back();
    return absl::OkStatus();
  }
  starts.push_back(path.size());
  if (starts.size() > 1) path.push_back({Token::kSlash});
  path.insert(path.end(), element.begin(), element.end());
  return absl::OkStatus();
}

absl::StatusOr<Tokens> Clean(const Tokens& tokens) {
  Tokens path;
  std::vector<size_t> starts;
  Tokens element;
  size_t depth = 0;
  for (const Token& token : tokens) {
    if (token.kind == Token::kOpen) ++depth;
    if (token.kind == Token::kClose) --depth;
    if (token.kind == Token::kSlash && depth == 0) {
      RETURN_IF_ERROR(AppendElement(element, path, starts));
      element.clear();
    } else {
      element.push_back(token);
    }
  }
  RETURN_IF_ERROR(AppendElement(element, path, starts));
  return path;
}

// Takes one character of a set; `text` starts after the '['.
absl::StatusOr<uint32_t> TakeMember(absl::string_view& text) {
  const uint32_t character = TakeCharacter(text);
  if (character == '/') return Malformed("'/' inside [...]");
  if (character == '-') return Malformed("'-' without an end of its range inside [...]");
  if (character != '\\') return character;
  if (text.empty()) return Malformed("'[' without ']'");
  if (text[0] == '/') return Malformed("'/' inside [...]");
  return TakeCharacter(text);
}

}  // namespace

// Fills one Glob.
class GlobCompiler {
 public:
  explicit GlobCompiler(Glob& glob) : glob_(glob) {}
  absl::Status Compile(absl::string_view pattern);

 private:
  using Node = Glob::Node;

  // Braces that have not been closed yet.
  struct Group {
    bool at_start;              // true if the braces begin at the start of an element
    bool all_end_at_start;      // true if all alternatives so far end with a '/'
    size_t fork;                // the node that leads to the next alternative
    std::vector<size_t> jumps;  // the nodes at the end of each alternative
  };
  // A ** or "." that continues after the slash at `slash`, an index into `tokens_`.
  struct Exit {
    size_t node;
    size_t slash;
  };

  absl::StatusOr<Tokens> Tokenize(absl::string_view text);
  absl::StatusOr<Token> TakeSet(absl::string_view& text);
  void FindCloses();
  // The token after the one before `i`, skipping ends of braces: the index of a slash, the number
  // of tokens (the end of the pattern), or kNone (more of the same element).
  size_t ElementEnd(size_t i) const;
  absl::Status CheckElementInBraces(size_t i) const;
  void Emit(size_t i);
  void EmitCharacter(size_t i);
  void EmitDoubleStar(size_t i);
  void EmitBraces(Token::Kind kind);
  uint32_t next_node() const { return static_cast<uint32_t>(glob_.nodes_.size()); }

  Glob& glob_;
  Tokens tokens_;
  std::vector<size_t> closes_;     // for each comma or close in `tokens_`: the matching close
  std::vector<uint32_t> node_of_;  // for each token: its first node
  std::vector<Group> groups_;
  std::vector<Exit> exits_;
  bool at_start_ = true;  // true at the start of an element, in every alternative
};

absl::StatusOr<Token> GlobCompiler::TakeSet(absl::string_view& text) {
  Glob::Set set;
  if (!text.empty() && (text[0] == '^' || text[0] == '!')) {
    set.negated = true;
    text.remove_prefix(1);
  }
  while (!text.empty() && text[0] != ']') {
    ASSIGN_OR_RETURN(const uint32_t first, TakeMember(text));
    uint32_t last = first;
    if (!text.empty() && text[0] == '-') {
      text.remove_prefix(1);
      if (text.empty()) break;
      if (text[0] == ']') return Malformed("'-' without an end of its range inside [...]");
      ASSIGN_OR_RETURN(last, TakeMember(text));
    }
    set.ranges.emplace_back(first, last);
  }
  if (text.empty()) return Malformed("'[' without ']'");
  if (set.ranges.empty()) return Malformed("nothing inside [...]");
  text.remove_prefix(1);
  glob_.sets_.push_back(std::move(set));
  return Token{Token::kSet, static_cast<uint32_t>(glob_.sets_.size() - 1)};
}

absl::StatusOr<Tokens> GlobCompiler::Tokenize(absl::string_view text) {
  Tokens tokens;
  size_t depth = 0;
  while (!text.empty()) {
    const uint32_t character = TakeCharacter(text);
    Token token{Token::kCharacter, character};
    if (character == '*') {
      const size_t more = std::min(text.find_first_not_of('*'), text.size());
      token = {more == 1 ? Token::kDoubleStar : Token::kStar};
      text.remove_prefix(more);
    } else if (character == '?') {
      token = {Token::kQuestion};
    } else if (character == '/') {
      token = {Token::kSlash};
    } else if (character == '[') {
      ASSIGN_OR_RETURN(token, TakeSet(text));
    } else if (character == '{') {
      token = {Token::kOpen};
      if (++depth > Glob::kMaxNesting) return Malformed("braces nest too deep");
    } else if (depth > 0 && character == ',') {
      token = {Token::kComma};
    } else if (depth > 0 && character == '}') {
      token = {Token::kClose};
      --depth;
    } else if (character == '\\') {
      if (text.empty()) return Malformed("a backslash at the end");
      if (text[0] == '/') return Malformed("a backslash before '/'");
      token.value = TakeCharacter(text);
    }
    tokens.push_back(token);
  }
  if (depth > 0) return Malformed("'{' without '}'");
  return tokens;
}

void GlobCompiler::FindCloses() {
  closes_.assign(tokens_.size(), kNone);
  std::vector<size_t> enclosing;
  for (size_t i = tokens_.size(); i-- > 0;) {
    if (tokens_[i].kind == Token::kClose) enclosing.push_back(i);
    if (tokens_[i].kind == Token::kClose || tokens_[i].kind == Token::kComma) {
      closes_[i] = enclosing.back();
    }
    if (tokens_[i].kind == Token::kOpen) enclosing.pop_back();
  }
}

size_t GlobCompiler::ElementEnd(size_t i) const {
  while (i < tokens_.size() && closes_[i] != kNone) i = closes_[i] + 1;
  return i == tokens_.size() || tokens_[i].kind == Token::kSlash ? i : kNone;
}

absl::Status GlobCompiler::CheckElementInBraces(size_t i) const {
  const bool climbs = CountDots(tokens_, i) == 2 && ElementEnd(i + 2) != kNone;
  if (!climbs && tokens_[i].kind != Token::kSlash) return absl::OkStatus();
  return Malformed("'..' or an empty element in or after braces");
}

void GlobCompiler::EmitCharacter(size_t i) {
  const bool dot = at_start_ && CountDots(tokens_, i) == 1;
  const size_t end = dot ? ElementEnd(i + 1) : kNone;
  if (end < tokens_.size()) {
    exits_.push_back({next_node(), end});
    glob_.nodes_.push_back({Node::kJump});
  } else {
    glob_.nodes_.push_back({Node::kCharacter, tokens_[i].value});
  }
}

void GlobCompiler::EmitDoubleStar(size_t i) {
  const size_t end = at_start_ ? ElementEnd(i + 1) : kNone;
  if (end == kNone) {
    glob_.nodes_.push_back({Node::kStar});
  } else if (end == tokens_.size()) {
    glob_.nodes_.push_back({Node::kRest});
  } else {
    exits_.push_back({next_node(), end});
    glob_.nodes_.push_back({Node::kDirectories});
    glob_.nodes_.push_back({Node::kInDirectory});
  }
  at_start_ = false;
}

void GlobCompiler::EmitBraces(Token::Kind kind) {
  if (kind == Token::kOpen) {
    groups_.push_back({at_start_, true, next_node(), {}});
    glob_.nodes_.push_back({Node::kFork});
    return;
  }
  Group& group = groups_.back();
  group.all_end_at_start = group.all_end_at_start && at_start_;
  if (kind == Token::kComma) {
    group.jumps.push_back(next_node());
    glob_.nodes_.push_back({Node::kJump});
    glob_.nodes_[group.fork].value = next_node();
    group.fork = next_node();
    glob_.nodes_.push_back({Node::kFork});
    at_start_ = group.at_start;
    return;
  }
  // The fork of the last alternative has only one target.
  glob_.nodes_[group.fork].value = static_cast<uint32_t>(group.fork) + 1;
  for (const size_t jump : group.jumps) glob_.nodes_[jump].value = next_node();
  at_start_ = group.all_end_at_start;
  groups_.pop_back();
}

void GlobCompiler::Emit(size_t i) {
  const Token& token = tokens_[i];
  switch (token.kind) {
    case Token::kCharacter:
      EmitCharacter(i);
      break;
    case Token::kQuestion:
      glob_.nodes_.push_back({Node::kQuestion});
      break;
    case Token::kSet:
      glob_.nodes_.push_back({Node::kSet, token.value});
      break;
    case Token::kStar:
      glob_.nodes_.push_back({Node::kStar});
      break;
    case Token::kSlash:
      glob_.nodes_.push_back({Node::kCharacter, '/'});
      break;
    case Token::kDoubleStar:
      return EmitDoubleStar(i);
    case Token::kOpen:
    case Token::kComma:
    case Token::kClose:
      return EmitBraces(token.kind);
  }
  at_start_ = token.kind == Token::kSlash;
}

absl::Status GlobCompiler::Compile(absl::string_view pattern) {
  if (pattern.size() > Glob::kMaxPatternBytes) return Malformed("too long");
  if (!pattern.empty() && pattern[0] == '/') return Malformed("must be relative");
  ASSIGN_OR_RETURN(const Tokens tokens, Tokenize(pattern));
  ASSIGN_OR_RETURN(tokens_, Clean(tokens));
  FindCloses();
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (at_start_) RETURN_IF_ERROR(CheckElementInBraces(i));
    node_of_.push_back(next_node());
    Emit(i);
  }
  for (const Exit& exit : exits_) glob_.nodes_[exit.node].value = node_of_[exit.slash] + 1;
  glob_.nodes_.push_back({Node::kAccept});
  return absl::OkStatus();
}

absl::StatusOr<Glob> Glob::Parse(absl::string_view pattern) {
  Glob glob;
  const absl::Status compiled = GlobCompiler(glob).Compile(pattern);
  if (compiled.ok()) return glob;
  // Enough of a long pattern to recognise it.
  constexpr size_t kQuotedBytes = 200;
  return Annotate(compiled,
                  absl::StrCat("pattern \"", CutText(PrintableText(pattern), kQuotedBytes), "\""));
}

}  // namespace sparkles
