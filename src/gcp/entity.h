// Reads and changes Datastore entities in the JSON of the REST API.
// An entity keeps the JSON of the server, so that parts that the worker does not change (null,
// unknown types, index flags, a double with an integer value) are sent back unchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace sparkles {

// The key of an entity without ancestors in the default namespace.
struct EntityKey {
  std::string kind;
  std::string name;
  friend bool operator==(const EntityKey&, const EntityKey&) = default;
};

Json ToJson(const EntityKey& key);
// Nullopt if `json` is not such a key, because it has an ancestor, a namespace, or a number as its
// name.
std::optional<EntityKey> ParseEntityKey(const Json& json);

// Makes values of properties. Malformed UTF-8 in `text` becomes U+FFFD when the value is sent.
Json NullValue();
Json StringValue(absl::string_view text);
Json IntegerValue(int64_t number);
Json DoubleValue(double number);
Json EntityValue(Json properties);
// The same value, excluded from all indexes. An indexed string may have at most 1500 bytes.
Json Unindexed(Json value);
bool IsUnindexed(const Json& value);

// The content of a value; nullopt if the value has another type. `value` may be null: an absent
// property.
std::optional<std::string> AsString(const Json* value);
std::optional<std::string> AsBlob(const Json* value);
std::optional<int64_t> AsInteger(const Json* value);
std::optional<double> AsDouble(const Json* value);  // integers too
// True for an absent property and for a null value.
bool IsNull(const Json* value);
bool IsArray(const Json* value);
// The elements of an array; empty if the value is not an array. The elements live as long as the
// value.
std::vector<const Json*> Elements(const Json* value);
// The properties of a nested entity; null if the value is not an entity.
const Json* AsProperties(const Json& value);

class Entity {
 public:
  // InvalidArgument if `json` is not an entity: an object with a key, and perhaps properties.
  static absl::StatusOr<Entity> Parse(Json json);

  const Json& json() const { return json_; }
  const Json& key() const;
  // Null if there is no such property.
  const Json* Find(absl::string_view property) const;
  // Adds the property or replaces its value. A property that was excluded from the indexes stays
  // excluded.
  void Set(absl::string_view property, Json value);
  // Adds an element to an array. Creates the array if the property is absent or null. Does nothing
  // if the property has another type. The element gets the index flag of the last element, because
  // the server reorders an array with mixed flags.
  void Append(absl::string_view property, Json element);

 private:
  explicit Entity(Json json) : json_(std::move(json)) {}

  Json json_;
};

}  // namespace sparkles
