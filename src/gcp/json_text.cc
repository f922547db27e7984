#include "gcp/json_text.h"

namespace sparkles {

const Json* JsonField(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string JsonText(const Json& object, const char* key) {
  const Json* field = JsonField(object, key);
  return field != nullptr && field->is_string() ? field->get<std::string>() : "";
}

}  // namespace sparkles
