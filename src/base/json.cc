#include "base/json.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

// Nesting depth by brackets outside of strings; for malformed text an upper bound is good enough.
int DepthOf(absl::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

std::string PositionOf(absl::string_view text, size_t offset) {
  const absl::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_start = before.rfind('\n');
  const size_t column =
      before.size() - (line_start == absl::string_view::npos ? 0 : line_start + 1) + 1;
  return absl::StrCat("line ", line, ", column ", column);
}

// Remembers where the parser stopped; builds nothing.
class ErrorFinder : public nlohmann::json_sax<Json> {
 public:
  size_t offset = 0;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    offset = position > 0 ? position - 1 : 0;
    return false;
  }
};

absl::StatusOr<Json> ParseWith(absl::string_view text, int max_depth,
                               const Json::parser_callback_t& callback) {
  if (DepthOf(text) > max_depth) {
    return absl::InvalidArgumentError(absl::StrCat("nests deeper than ", max_depth, " levels"));
  }
  Json value = Json::parse(text.begin(), text.end(), callback, /*allow_exceptions=*/false);
  if (!value.is_discarded()) return value;
  if (text.find_first_not_of(" \t\r\n") == absl::string_view::npos) {
    return absl::InvalidArgumentError("is empty, not JSON");
  }
  ErrorFinder finder;
  Json::sax_parse(text.begin(), text.end(), &finder);
  return absl::InvalidArgumentError(
      absl::StrCat("is not valid JSON at ", PositionOf(text, finder.offset)));
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text, int max_depth) {
  return ParseWith(text, max_depth, nullptr);
}

absl::StatusOr<Json> ParseJsonWithList(absl::string_view text, absl::string_view key,
                                       absl::FunctionRef<void(const Json& element)> take) {
  using Event = Json::parse_event_t;
  bool is_key = false;   // the last key of the outermost object
  bool in_list = false;  // inside the value of that key, a list
  return ParseWith(text, kMaxJsonDepth, [&](int depth, Event event, Json& parsed) {
    if (depth == 1 && event == Event::key) is_key = parsed.get_ref<const std::string&>() == key;
    if (depth == 1 && event == Event::array_start) in_list = is_key;
    if (depth == 1 && event == Event::array_end) in_list = false;
    const bool ended =
        event == Event::value || event == Event::object_end || event == Event::array_end;
    if (!in_list || depth != 2 || !ended) return true;
    take(parsed);
    return false;
  });
}

std::string DumpJson(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string DumpJson(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace sparkles
