// Checks whether a URL can name an object in a store, before it is used.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace sparkles {

// InvalidArgument, beginning with the URL, unless it is a file:/// or gs:// URL that names an
// object.
absl::Status CheckObjectUrl(const std::string& url);

// The same for a URL below which objects are stored.
absl::Status CheckDirectoryUrl(const std::string& url);

// "gs://bucket" for "gs://bucket/name". For file:// URLs and other text the result is not useful,
// but equal for equal URLs.
std::string BucketOf(const std::string& url);

}  // namespace sparkles
