#include "base/display_width.h"

#include <locale.h>
#include <wchar.h>

#include <algorithm>

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

}  // namespace

size_t DisplayWidth(absl::string_view text) {
  const Utf8Locale locale;
  size_t width = 0;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const int columns = length == 0 ? 1 : wcwidth(Decode(text.substr(0, length)));
    width += columns < 0 ? 1 : static_cast<size_t>(columns);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return width;
}

}  // namespace sparkles
