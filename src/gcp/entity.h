// Datastore's entities in the JSON of its REST API: keys, properties and their values.
// The one hard idea: an entity stays the JSON that it came as, so that whatever we do not change
// (null, unknown types, index flags, a double that is a whole number) goes back as it was.
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
// Nullopt if `json` is no such key: it has an ancestor, a namespace, or a number for a name.
std::optional<EntityKey> ParseEntityKey(const Json& json);

// Values of properties. Malformed UTF-8 in `text` becomes U+FFFD when it is sent.
Json NullValue();
Json StringValue(absl::string_view text);
Json IntegerValue(int64_t number);
Json DoubleValue(double number);
Json EntityValue(Json properties);
// The same value, left out of all indexes. An indexed string ends at 1500 bytes.
Json Unindexed(Json value);
bool IsUnindexed(const Json& value);

// What a value holds; nullopt if it is of another type. `value` may be null: an absent property.
std::optional<std::string> AsString(const Json* value);
std::optional<std::string> AsBlob(const Json* value);
std::optional<int64_t> AsInteger(const Json* value);
std::optional<double> AsDouble(const Json* value);  // integers too
// True for an absent property and for the value null.
bool IsNull(const Json* value);
bool IsArray(const Json* value);
// The elements of an array; none if it is no array. They live as long as the value.
std::vector<const Json*> Elements(const Json* value);
// The properties of a nested entity; null if it is none.
const Json* AsProperties(const Json& value);

class Entity {
 public:
  // InvalidArgument if `json` is no entity (a key, and perhaps properties).
  static absl::StatusOr<Entity> Parse(Json json);

  const Json& json() const { return json_; }
  const Json& key() const;
  // Null if there is none of that name.
  const Json* Find(absl::string_view property) const;
  // Adds the property or replaces its value, and leaves it out of the indexes if it was so.
  void Set(absl::string_view property, Json value);
  // Adds an element to an array, which is made if it is absent, null or empty. Does nothing if the
  // property is something else. The element has the index flag of the one before it: with both
  // kinds in one array the server would change their order.
  void Append(absl::string_view property, Json element);

 private:
  explicit Entity(Json json) : json_(std::move(json)) {}

  Json json_;
};

}  // namespace sparkles
