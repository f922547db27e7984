#include "base/json.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

// The nesting depth, by brackets outside of strings. For malformed text this may be too large.
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

// The limit for ParseJsonWithList. That many small objects take about 500 MB of memory.
constexpr size_t kMaxValues = 4'000'000;

using TakeElement = absl::FunctionRef<void(const Json& element)>;

// Builds a value from the parser's events. nlohmann's own builder with a callback scans the whole
// list after each element.
class Builder : public nlohmann::json_sax<Json> {
 public:
  // `take` gets the elements of the list `list_key`; see ParseJsonWithList.
  Builder(absl::string_view list_key, TakeElement take, size_t max_values)
      : list_key_(list_key), take_(take), values_left_(max_values) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t&) override { return Add(value); }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(Json::object()); }
  bool start_array(size_t) override {
    const bool is_list = open_.size() == 1 && is_list_key_;
    if (!Open(Json::array())) return false;
    if (is_list) list_ = open_.back();
    return true;
  }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    if (open_.size() == 1) is_list_key_ = !list_key_.empty() && name == list_key_;
    slot_ = &(*open_.back())[name];
    return true;
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    offset_ = position > 0 ? position - 1 : 0;
    return false;
  }

  Json TakeValue() { return std::move(value_); }
  bool has_too_many_values() const { return too_many_; }
  size_t offset() const { return offset_; }  // the place where the parser stopped

 private:
  // Null if there are too many values.
  Json* Place(Json value) {
    if (list_ == nullptr) {
      too_many_ = values_left_ == 0;
      if (too_many_) return nullptr;
      --values_left_;
    }
    Json* place = slot_;
    if (open_.empty()) {
      place = &value_;
    } else if (open_.back() == list_) {
      place = &element_;
    } else if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *place = std::move(value);
    return place;
  }

  bool Add(Json value) {
    const Json* const added = Place(std::move(value));
    if (added == &element_) take_(element_);
    return added != nullptr;
  }

  bool Open(Json value) {
    Json* const opened = Place(std::move(value));
    if (opened != nullptr) open_.push_back(opened);
    return opened != nullptr;
  }

  bool Close() {
    const Json* const closed = open_.back();
    open_.pop_back();
    if (closed == list_) list_ = nullptr;
    if (closed == &element_) take_(element_);
    return true;
  }

  const absl::string_view list_key_;
  const TakeElement take_;
  size_t values_left_;
  bool too_many_ = false;
  size_t offset_ = 0;

  Json value_;
  Json element_;             // the element of the list in progress
  std::vector<Json*> open_;  // open objects and lists, the outermost first
  Json* slot_ = nullptr;     // for the last key of the innermost open object
  bool is_list_key_ = false;
  const Json* list_ = nullptr;  // the list while it is open
};

absl::StatusOr<Json> ParseWith(absl::string_view text, int max_depth, Builder builder) {
  if (DepthOf(text) > max_depth) {
    return absl::InvalidArgumentError(absl::StrCat("nests deeper than ", max_depth, " levels"));
  }
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return builder.TakeValue();
  if (builder.has_too_many_values()) {
    return absl::InvalidArgumentError(absl::StrCat("holds more than ", kMaxValues, " values"));
  }
  if (text.find_first_not_of(" \t\r\n") == absl::string_view::npos) {
    return absl::InvalidArgumentError("is empty, not JSON");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("is not valid JSON at ", PositionOf(text, builder.offset())));
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text, int max_depth) {
  const auto take_none = [](const Json&) {};
  return ParseWith(text, max_depth, Builder("", take_none, std::numeric_limits<size_t>::max()));
}

absl::StatusOr<Json> ParseJsonWithList(absl::string_view text, absl::string_view key,
                                       absl::FunctionRef<void(const Json& element)> take) {
  return ParseWith(text, kMaxJsonDepth, Builder(key, take, kMaxValues));
}

const Json* JsonField(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

const Json* JsonValue(const Json& object, const char* key) {
  const Json* field = JsonField(object, key);
  return field == nullptr || field->is_null() ? nullptr : field;
}

std::string JsonText(const Json& object, const char* key) {
  const Json* field = JsonField(object, key);
  return field != nullptr && field->is_string() ? field->get<std::string>() : "";
}

absl::StatusOr<std::string> ReadJsonText(const Json& object, const char* key) {
  const Json* value = JsonValue(object, key);
  if (value == nullptr) return std::string();
  if (value->is_string()) return value->get<std::string>();
  return absl::InvalidArgumentError(absl::StrCat(key, ": must be a string"));
}

std::optional<int64_t> JsonInteger(const Json& object, const char* key) {
  const Json* field = JsonField(object, key);
  if (field == nullptr || !field->is_number_integer()) return std::nullopt;
  return field->get<int64_t>();
}

std::string DumpJson(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string DumpJson(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace sparkles
