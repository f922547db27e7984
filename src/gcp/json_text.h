// Texts out of JSON from outside, in which every field may be missing or of another type.
#pragma once

#include <string>

#include "base/json.h"

namespace sparkles {

// The text of `object`[key]; empty if there is none, or `object` is no object.
std::string JsonText(const Json& object, const char* key);

// Null if there is none, or `object` is no object.
const Json* JsonField(const Json& object, const char* key);

}  // namespace sparkles
