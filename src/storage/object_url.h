// Whether a URL can be that of an object in some store, before anything is done with it.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace sparkles {

// InvalidArgument, beginning with the URL, unless it is a file:/// or gs:// URL that names an
// object.
absl::Status CheckObjectUrl(const std::string& url);

// The same for one below which objects are stored.
absl::Status CheckFolderUrl(const std::string& url);

// "gs://bucket" for "gs://bucket/name". For file:// URLs and other text the result is not useful,
// but equal for equal URLs.
std::string BucketOf(const std::string& url);

}  // namespace sparkles
