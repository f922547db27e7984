#include "base/glob.h"

#include <algorithm>

#include "base/text.h"

namespace sparkles {
namespace {

constexpr uint32_t kBeyondUnicode = 0x110000;

}  // namespace

uint32_t TakeCharacter(absl::string_view& text) {
  const auto byte = [&](size_t i) -> uint32_t { return static_cast<uint8_t>(text[i]); };
  const size_t length = byte(0) < 0x80 ? 1 : Utf8Length(text);
  uint32_t character = byte(0);
  if (length == 0) {
    character += kBeyondUnicode;
  } else if (length > 1) {
    character &= 0x7Fu >> length;  // the payload bits of the lead byte
    for (size_t i = 1; i < length; ++i) character = character << 6 | (byte(i) & 0x3F);
  }
  text.remove_prefix(std::max<size_t>(length, 1));
  return character;
}

bool Glob::Set::Contains(uint32_t character) const {
  const bool listed = std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
    return range.first <= character && character <= range.second;
  });
  return listed != negated;
}

size_t Glob::States::Next(size_t node) const {
  size_t word = node / 64;
  if (word >= words_.size()) return words_.size() * 64;
  uint64_t bits = words_[word] >> (node % 64);
  if (bits != 0) return node + static_cast<size_t>(__builtin_ctzll(bits));
  while (++word < words_.size()) {
    if (words_[word] != 0) return word * 64 + static_cast<size_t>(__builtin_ctzll(words_[word]));
  }
  return words_.size() * 64;
}

// One pass is enough, because steps without a character lead only to later nodes.
void Glob::FollowAtOnce(States& states) const {
  for (size_t i = states.Next(0); i < nodes_.size(); i = states.Next(i + 1)) {
    const Node& node = nodes_[i];
    if (node.kind == Node::kStar || node.kind == Node::kFork) states.Add(i + 1);
    if (node.kind == Node::kFork || node.kind == Node::kJump || node.kind == Node::kDirectories) {
      states.Add(node.value);
    }
    // Remove nodes that consume nothing, so that a remaining state means "can continue".
    if (node.kind == Node::kFork || node.kind == Node::kJump) states.Remove(i);
  }
}

void Glob::Follow(size_t i, uint32_t character, States& next) const {
  const Node& node = nodes_[i];
  const bool slash = character == '/';
  switch (node.kind) {
    case Node::kCharacter:
      if (character == node.value) next.Add(i + 1);
      break;
    case Node::kQuestion:
    case Node::kDirectories:
      if (!slash) next.Add(i + 1);
      break;
    case Node::kSet:
      if (!slash && sets_[node.value].Contains(character)) next.Add(i + 1);
      break;
    case Node::kStar:
      if (!slash) next.Add(i);
      break;
    case Node::kInDirectory:
      next.Add(slash ? i - 1 : i);
      break;
    case Node::kRest:
      next.Add(i);
      next.Add(i + 1);
      break;
    case Node::kFork:
    case Node::kJump:
    case Node::kAccept:
      break;
  }
}

Glob::States Glob::Start() const {
  States states(nodes_.size());
  states.Add(0);
  FollowAtOnce(states);
  return states;
}

Glob::States Glob::Advance(const States& states, absl::string_view text) const {
  States current = states;
  States next(nodes_.size());
  while (!text.empty() && current.Next(0) < nodes_.size()) {
    const uint32_t character = TakeCharacter(text);
    std::fill(next.words_.begin(), next.words_.end(), 0);
    for (size_t i = current.Next(0); i < nodes_.size(); i = current.Next(i + 1)) {
      Follow(i, character, next);
    }
    FollowAtOnce(next);
    std::swap(current.words_, next.words_);
  }
  return current;
}

bool Glob::Accepts(const States& states) const { return states.Has(nodes_.size() - 1); }

bool Glob::CanContinue(const States& states) const { return states.Next(0) + 1 < nodes_.size(); }

bool Glob::MatchesAllBelow(const States& states) const {
  for (size_t i = states.Next(0); i < nodes_.size(); i = states.Next(i + 1)) {
    if (nodes_[i].kind == Node::kRest) return true;
  }
  return false;
}

}  // namespace sparkles
