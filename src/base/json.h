// The door to nlohmann_json: JSON from outside is parsed here, and only here, within bounds. In it
// every field may be missing or of another type.
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

// Parses `text` as one JSON value. InvalidArgument with line and column if it is not JSON, is not
// UTF-8, or nests deeper than `max_depth` levels (the limit keeps every recursive walk off the
// stack's end).
absl::StatusOr<Json> ParseJson(absl::string_view text, int max_depth = kMaxJsonDepth);

// The same for a value with a very long list. Gives the elements of the list `key` of the outermost
// object to `take` one by one; that list is empty in the returned value. InvalidArgument also if
// there are more than 4 million values outside of it. After an error, `take` may have got some of
// the elements. If the key is repeated, `take` gets the elements of all its lists.
absl::StatusOr<Json> ParseJsonWithList(absl::string_view text, absl::string_view key,
                                       absl::FunctionRef<void(const Json& element)> take);

// The field `key` of `object`; null if there is none, or `object` is no object.
const Json* JsonField(const Json& object, const char* key);
// The same; null also for a field that is JSON's null.
const Json* JsonValue(const Json& object, const char* key);

// The text of a field; empty if it is absent or of another type.
std::string JsonText(const Json& object, const char* key);
// The text of a field; empty if it is absent or null, InvalidArgument if it is of another type.
absl::StatusOr<std::string> ReadJsonText(const Json& object, const char* key);
// The number of a field; nullopt if it is absent or no integer.
std::optional<int64_t> JsonInteger(const Json& object, const char* key);

// One line. Never throws: malformed UTF-8 is replaced by U+FFFD.
std::string DumpJson(const Json& value);
std::string DumpJson(const OrderedJson& value);

}  // namespace sparkles
