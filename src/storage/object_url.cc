#include "storage/object_url.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file_url.h"
#include "base/text.h"
#include "gcp/gcs_object.h"

namespace sparkles {

namespace {

// The query of a signed URL is a secret.
absl::Status UnknownScheme(absl::string_view url) {
  const absl::string_view shown = url.substr(0, url.find('?'));
  return absl::InvalidArgumentError(absl::StrCat(PrintableText(shown),
                                                 shown.size() < url.size() ? "?..." : "",
                                                 ": not a file:/// or gs:// URL"));
}

}  // namespace

absl::Status CheckObjectUrl(const std::string& url) {
  if (absl::StartsWith(url, "gs://")) return ParseGcsUrl(url).status();
  return absl::StartsWith(url, "file:///") ? ParseFileUrl(url).status() : UnknownScheme(url);
}

absl::Status CheckDirectoryUrl(const std::string& url) {
  const absl::Status status = CheckObjectUrl(absl::StrCat(url, "/object"));
  const bool known = absl::StartsWith(url, "gs://") || absl::StartsWith(url, "file://");
  return status.ok() || known ? status : UnknownScheme(url);
}

std::string BucketOf(const std::string& url) {
  const size_t scheme = url.find("://");
  return scheme == std::string::npos ? url : url.substr(0, url.find('/', scheme + 3));
}

}  // namespace sparkles
