#include "gcp/entity.h"

#include <cmath>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"

namespace sparkles {
namespace {

constexpr char kExclude[] = "excludeFromIndexes";
constexpr char kProperties[] = "properties";

// The member `type` of a value; null if the value is absent or has another type.
const Json* Content(const Json* value, const char* type) {
  return value == nullptr ? nullptr : JsonField(*value, type);
}

}  // namespace

Json ToJson(const EntityKey& key) {
  return {{"path", Json::array({{{"kind", key.kind}, {"name", key.name}}})}};
}

std::optional<EntityKey> ParseEntityKey(const Json& json) {
  const Json* partition = JsonField(json, "partitionId");
  if (partition != nullptr && JsonField(*partition, "namespaceId") != nullptr) return std::nullopt;
  const Json* path = JsonField(json, "path");
  if (path == nullptr || !path->is_array() || path->size() != 1) return std::nullopt;
  const Json* kind = JsonField(path->front(), "kind");
  const Json* name = JsonField(path->front(), "name");
  if (kind == nullptr || name == nullptr || !kind->is_string() || !name->is_string()) {
    return std::nullopt;
  }
  return EntityKey{kind->get<std::string>(), name->get<std::string>()};
}

Json NullValue() { return {{"nullValue", nullptr}}; }
Json StringValue(absl::string_view text) { return {{"stringValue", std::string(text)}}; }
Json IntegerValue(int64_t number) { return {{"integerValue", std::to_string(number)}}; }
Json DoubleValue(double number) { return {{"doubleValue", number}}; }
Json EntityValue(Json properties) {
  return {{"entityValue", {{kProperties, std::move(properties)}}}};
}

Json Unindexed(Json value) {
  if (value.is_object()) value[kExclude] = true;
  return value;
}

bool IsUnindexed(const Json& value) {
  const Json* exclude = JsonField(value, kExclude);
  return exclude != nullptr && exclude->is_boolean() && exclude->get<bool>();
}

std::optional<std::string> AsString(const Json* value) {
  const Json* content = Content(value, "stringValue");
  if (content == nullptr || !content->is_string()) return std::nullopt;
  return content->get<std::string>();
}

// Readers of JSON must accept both Base64 alphabets.
std::optional<std::string> AsBlob(const Json* value) {
  const Json* content = Content(value, "blobValue");
  if (content == nullptr || !content->is_string()) return std::nullopt;
  const std::string text = content->get<std::string>();
  std::string bytes;
  if (absl::Base64Unescape(text, &bytes) || absl::WebSafeBase64Unescape(text, &bytes)) return bytes;
  return std::nullopt;
}

// Google's JSON has 64-bit integers as strings.
std::optional<int64_t> AsInteger(const Json* value) {
  const Json* content = Content(value, "integerValue");
  if (content == nullptr) return std::nullopt;
  int64_t number = 0;
  if (content->is_string()) {
    if (!absl::SimpleAtoi(content->get<std::string>(), &number)) return std::nullopt;
    return number;
  }
  if (!content->is_number_integer()) return std::nullopt;
  if (content->is_number_unsigned() &&
      content->get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) {
    return std::nullopt;
  }
  return content->get<int64_t>();
}

std::optional<double> AsDouble(const Json* value) {
  const Json* content = Content(value, "doubleValue");
  if (content != nullptr && content->is_number()) return content->get<double>();
  if (content != nullptr && content->is_string()) {
    const std::string name = content->get<std::string>();
    if (name == "NaN") return std::nan("");
    if (name == "Infinity") return std::numeric_limits<double>::infinity();
    if (name == "-Infinity") return -std::numeric_limits<double>::infinity();
  }
  const std::optional<int64_t> integer = AsInteger(value);
  if (!integer) return std::nullopt;
  return static_cast<double>(*integer);
}

bool IsNull(const Json* value) {
  return value == nullptr || Content(value, "nullValue") != nullptr;
}

bool IsArray(const Json* value) {
  const Json* array = Content(value, "arrayValue");
  return array != nullptr && array->is_object();
}

// An empty array has no member "values".
std::vector<const Json*> Elements(const Json* value) {
  const Json* array = Content(value, "arrayValue");
  const Json* values = array == nullptr ? nullptr : JsonField(*array, "values");
  std::vector<const Json*> elements;
  if (values == nullptr || !values->is_array()) return elements;
  for (const Json& element : *values) elements.push_back(&element);
  return elements;
}

const Json* AsProperties(const Json& value) {
  const Json* nested = JsonField(value, "entityValue");
  return nested == nullptr ? nullptr : JsonField(*nested, kProperties);
}

absl::StatusOr<Entity> Entity::Parse(Json json) {
  const Json* key = JsonField(json, "key");
  const Json* properties = JsonField(json, kProperties);
  const bool good =
      key != nullptr && key->is_object() && (properties == nullptr || properties->is_object());
  if (!good) return absl::InvalidArgumentError("not an entity of Datastore");
  return Entity(std::move(json));
}

const Json& Entity::key() const { return *JsonField(json_, "key"); }

const Json* Entity::Find(absl::string_view property) const {
  const Json* properties = JsonField(json_, kProperties);
  return properties == nullptr ? nullptr : JsonField(*properties, std::string(property).c_str());
}

void Entity::Set(absl::string_view property, Json value) {
  Json& place = json_[kProperties][std::string(property)];
  place = IsUnindexed(place) ? Unindexed(std::move(value)) : std::move(value);
}

void Entity::Append(absl::string_view property, Json element) {
  const Json* old = Find(property);
  if (!IsNull(old) && !IsArray(old)) return;
  const std::vector<const Json*> elements = Elements(old);
  if (!elements.empty() && IsUnindexed(*elements.back())) element = Unindexed(std::move(element));
  Json& place = json_[kProperties][std::string(property)];
  if (!IsArray(&place)) place = {{"arrayValue", Json::object()}};
  Json& values = place["arrayValue"]["values"];
  if (!values.is_array()) values = Json::array();
  values.push_back(std::move(element));
}

}  // namespace sparkles
