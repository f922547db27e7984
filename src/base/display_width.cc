#include "base/display_width.h"

#include <locale.h>
#include <wchar.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace sparkles {
namespace {

// In the "C" locale, glibc's wcwidth knows only ASCII.
class Utf8Locale {
 public:
  Utf8Locale() : utf8_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (utf8_ != nullptr) before_ = uselocale(utf8_);
  }
  ~Utf8Locale() {
    if (utf8_ == nullptr) return;
    uselocale(before_);
    freelocale(utf8_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t utf8_;
  locale_t before_ = nullptr;
};

// `character` must be one well-formed UTF-8 character.
wchar_t Decode(absl::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first;
  wchar_t code = first & (0x7F >> character.size());
  for (const char c : character.substr(1)) code = code << 6 | (c & 0x3F);
  return code;
}

// Each character of such a text takes one column. Most texts are such texts, and the locale takes
// 100 times as long.
bool IsPlain(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); });
}

// The bytes of the first character; 1 for a byte that is not UTF-8.
size_t FirstLength(absl::string_view text) { return std::max<size_t>(Utf8Length(text), 1); }

// Needs the UTF-8 locale.
size_t WidthOf(absl::string_view character) {
  const bool valid = Utf8Length(character) == character.size();
  const int columns = valid ? wcwidth(Decode(character)) : 1;
  return columns < 0 ? 1 : static_cast<size_t>(columns);
}

}  // namespace

size_t DisplayWidth(absl::string_view text) {
  if (IsPlain(text)) return text.size();
  const Utf8Locale locale;
  size_t width = 0;
  while (!text.empty()) {
    const size_t length = FirstLength(text);
    width += WidthOf(text.substr(0, length));
    text.remove_prefix(length);
  }
  return width;
}

absl::string_view StartWithin(absl::string_view text, size_t columns) {
  if (text.size() <= columns && IsPlain(text)) return text;
  const Utf8Locale locale;
  size_t length = 0;
  while (length < text.size()) {
    const size_t next = FirstLength(text.substr(length));
    const size_t width = WidthOf(text.substr(length, next));
    if (width > columns) break;
    columns -= width;
    length += next;
  }
  return text.substr(0, length);
}

std::string CutToWidth(absl::string_view text, size_t columns) {
  constexpr absl::string_view kEllipsis = "...";
  const size_t width = DisplayWidth(text);
  if (width <= columns) return std::string(text);
  if (columns <= kEllipsis.size()) return std::string(kEllipsis.substr(0, columns));
  const size_t end = (columns - kEllipsis.size()) / 2;
  const absl::string_view head = StartWithin(text, columns - kEllipsis.size() - end);
  const Utf8Locale locale;
  absl::string_view tail = text.substr(head.size());
  for (size_t left = width - DisplayWidth(head); left > end;) {
    const size_t next = FirstLength(tail);
    left -= WidthOf(tail.substr(0, next));
    tail.remove_prefix(next);
  }
  return absl::StrCat(head, kEllipsis, tail);
}

}  // namespace sparkles
