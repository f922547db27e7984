#include "gcp/gcs_list.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/status.h"
#include "http/url.h"

namespace sparkles {
namespace {

constexpr int kPageSize = 1000;  // the maximum of Cloud Storage
// An empty page may have a next page. A server that sends more pages than this is broken.
constexpr int kMaxPages = 1000;

absl::Status Unreadable() {
  return MarkRetryable(absl::DataLossError("the list of objects cannot be understood"));
}

// Appends the entries of one page; returns the token of the next page, empty if it is the last.
absl::StatusOr<std::string> ReadPage(absl::string_view body, const std::string& prefix, size_t max,
                                     std::vector<GcsEntry>& entries) {
  const absl::StatusOr<Json> page = ParseJson(body);
  if (!page.ok() || !page->is_object()) return Unreadable();
  const Json* const items = JsonValue(*page, "items");
  if (items != nullptr && !items->is_array()) return Unreadable();
  std::vector<GcsEntry> read;
  for (const Json& item : items != nullptr ? *items : Json::array()) {
    const std::string whole = JsonText(item, "name");
    absl::string_view name = whole;
    GcsEntry entry;
    // Other programs make an object with the name of a directory, to show the directory.
    if (name == prefix) continue;
    if (!absl::ConsumePrefix(&name, prefix) || name.find('/') != absl::string_view::npos ||
        !absl::SimpleAtoi(JsonText(item, "generation"), &entry.generation) ||
        entry.generation <= 0) {
      return Unreadable();
    }
    entry.name = std::string(name);
    read.push_back(std::move(entry));
  }
  for (GcsEntry& entry : read) {
    if (entries.size() < max) entries.push_back(std::move(entry));
  }
  return JsonText(*page, "nextPageToken");
}

}  // namespace

absl::StatusOr<std::vector<GcsEntry>> ListDirectory(GcsClient& client, const GcsName& directory,
                                                    size_t max, const Activity& activity) {
  const std::string prefix = directory.object + "/";
  std::vector<GcsEntry> entries;
  std::string token;
  for (int pages = 0; pages < kMaxPages; ++pages) {
    ASSIGN_OR_RETURN(token, client.GetPage(directory.bucket, prefix, kPageSize, token, activity,
                                           [&](absl::string_view body) {
                                             return ReadPage(body, prefix, max, entries);
                                           }));
    if (token.empty() || entries.size() >= max) return entries;
  }
  return absl::InternalError("the list of objects does not end");
}

}  // namespace sparkles
