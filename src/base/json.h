// Parses JSON from outside within limits, and wraps nlohmann_json for all other files.
// Every field of such JSON may be missing or have another type.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

using Json = nlohmann::json;
// Keeps the order in which keys were added.
using OrderedJson = nlohmann::ordered_json;

inline constexpr int kMaxJsonDepth = 100;

// Parses `text` as one JSON value. InvalidArgument, with line and column, if `text` is not JSON, is
// not UTF-8, or nests deeper than `max_depth` levels. The limit protects recursive code from a
// stack overflow.
absl::StatusOr<Json> ParseJson(absl::string_view text, int max_depth = kMaxJsonDepth);

// Parses a value with a very long list. Gives the elements of the list `key` of the outermost
// object to `take` one by one; the list is empty in the returned value. InvalidArgument also if
// there are more than 4 million values outside of the list. After an error, `take` may have
// received some elements. If the key is repeated, `take` gets the elements of all its lists.
absl::StatusOr<Json> ParseJsonWithList(absl::string_view text, absl::string_view key,
                                       absl::FunctionRef<void(const Json& element)> take);

// The field `key` of `object`; null if the field does not exist, or `object` is not an object.
const Json* JsonField(const Json& object, const char* key);
// The same, and null also for a JSON null.
const Json* JsonValue(const Json& object, const char* key);

// The text of a field; empty if it is absent or has another type.
std::string JsonText(const Json& object, const char* key);
// The text of a field; empty if it is absent or null. InvalidArgument if it has another type.
absl::StatusOr<std::string> ReadJsonText(const Json& object, const char* key);
// The number in a field; nullopt if it is absent or not an integer.
std::optional<int64_t> JsonInteger(const Json& object, const char* key);

// Writes JSON in one line. Never throws: malformed UTF-8 becomes U+FFFD.
std::string DumpJson(const Json& value);
std::string DumpJson(const OrderedJson& value);

}  // namespace sparkles
