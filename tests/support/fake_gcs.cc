#include "tests/support/fake_gcs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/crc32c.h"
#include "base/json.h"
#include "base/status.h"
#include "gcp/gcs_object.h"
#include "http/url.h"

namespace sparkles {
namespace {

HttpResponse Answer(int status, absl::string_view body = "") {
  HttpResponse response;
  response.status = status;
  response.body = std::string(body);
  return response;
}

HttpResponse Describe(absl::string_view content, int64_t generation) {
  const Json json = {{"size", absl::StrCat(content.size())},
                     {"generation", absl::StrCat(generation)},
                     {"crc32c", FormatCrc32c(Crc32c(content))}};
  return Answer(200, DumpJson(json));
}

std::string Parameter(absl::string_view query, absl::string_view name) {
  for (absl::string_view pair : absl::StrSplit(query, '&')) {
    if (absl::ConsumePrefix(&pair, absl::StrCat(name, "="))) return std::string(pair);
  }
  return "";
}

// Answers to a request for media are plain text.
HttpResponse Missing(const std::string& what, absl::string_view query) {
  if (Parameter(query, "alt") == "media") return Answer(404, what);
  return Answer(404, DumpJson(Json{{"error", {{"code", 404}, {"message", what}}}}));
}

int64_t Number(absl::string_view text) {
  int64_t number;
  return absl::SimpleAtoi(text, &number) ? number : -1;
}

absl::StatusOr<std::string> BodyOf(const HttpRequest& request) {
  if (!request.body_source) return request.body;
  std::string body(request.body_bytes, '\0');
  for (size_t at = 0; at < body.size();) {
    const size_t capacity = std::min<size_t>(body.size() - at, 128 * 1024);
    ASSIGN_OR_RETURN(const size_t got, request.body_source(&body[at], capacity));
    if (got == 0) return absl::AbortedError("the request's body ended early");
    at += got;
  }
  return body;
}

absl::Status Deliver(const HttpRequest& request, HttpResponse& response) {
  if (!request.on_body || response.status >= 300) return absl::OkStatus();
  const std::string body = std::exchange(response.body, "");
  constexpr size_t kPiece = 16 * 1024;
  for (size_t at = 0; at < body.size(); at += kPiece) {
    RETURN_IF_ERROR(request.on_body(response, absl::string_view(body).substr(at, kPiece)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HttpResponse> FakeGcs::Send(const HttpRequest& request) {
  if (request.cancel != nullptr && request.cancel->cancelled()) {
    return absl::CancelledError(request.cancel->reason());
  }
  ASSIGN_OR_RETURN(const std::string body, BodyOf(request));
  HttpResponse response;
  {
    MutexLock lock(mutex_);
    received_ += body.size();
    response = Handle(request, body);
  }
  RETURN_IF_ERROR(Deliver(request, response));
  return response;
}

std::optional<std::string> FakeGcs::Get(const std::string& key) const {
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return std::nullopt;
  return found->second.content;
}

int64_t FakeGcs::GenerationOf(const std::string& key) const {
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  return found == objects_.end() ? 0 : found->second.generation;
}

std::vector<std::string> FakeGcs::KeysBelow(const std::string& prefix) const {
  MutexLock lock(mutex_);
  std::vector<std::string> keys;
  for (auto object = objects_.lower_bound(prefix);
       object != objects_.end() && absl::StartsWith(object->first, prefix); ++object) {
    keys.push_back(object->first);
  }
  return keys;
}

void FakeGcs::Put(const std::string& key, absl::string_view content) {
  MutexLock lock(mutex_);
  objects_[key] = {std::string(content), ++last_generation_};
}

std::vector<std::string> FakeGcs::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

uint64_t FakeGcs::received() const {
  MutexLock lock(mutex_);
  return received_;
}

HttpResponse FakeGcs::Handle(const HttpRequest& request, absl::string_view body) {
  const std::pair<absl::string_view, absl::string_view> url =
      absl::StrSplit(request.url, absl::MaxSplits('?', 1));
  const std::string type = Parameter(url.second, "uploadType");
  requests_.push_back(type.empty() ? request.method : absl::StrCat(request.method, " ", type));
  const auto session = sessions_.find(request.url);
  if (session != sessions_.end()) return Continue(request, body, session->second);
  const size_t path = url.first.find("/b/");
  if (path == absl::string_view::npos) return Answer(404, "no such path");
  const std::vector<std::string> parts = absl::StrSplit(url.first.substr(path + 3), '/');
  if (request.method == "POST" && parts.size() == 2) {
    return Insert(request, body, parts[0], url.second);
  }
  if (request.method == "POST" && parts.size() == 4 && parts[3] == "compose") {
    return Compose(parts[0], parts[2], body, url.second);
  }
  if (request.method == "GET" && parts.size() == 2) return List(parts[0], url.second);
  if (parts.size() != 3) return Answer(404, "no such path");
  return Read(request, parts[0] + "/" + parts[2], url.second);
}

HttpResponse FakeGcs::Read(const HttpRequest& request, const std::string& key,
                           absl::string_view query) {
  const auto found = objects_.find(key);
  const std::string generation = Parameter(query, "generation");
  if (found == objects_.end() ||
      (!generation.empty() && Number(generation) != found->second.generation)) {
    return Missing("No such object: " + key, query);
  }
  if (request.method == "DELETE") {
    const std::string expected = Parameter(query, "ifGenerationMatch");
    if (!expected.empty() && Number(expected) != found->second.generation) return Answer(412);
    objects_.erase(found);
    if (on_store_) on_store_(key, 0);
    return Answer(204);
  }
  if (Parameter(query, "alt") == "media") return Media(request, found->second);
  return Describe(found->second.content, found->second.generation);
}

// Pages of two objects, so that clients must ask for the next page. The token is a number of
// objects.
HttpResponse FakeGcs::List(const std::string& bucket, absl::string_view query) {
  const std::string prefix = bucket + "/" + Parameter(query, "prefix");
  int64_t skip = std::max<int64_t>(Number(Parameter(query, "pageToken")), 0);
  int64_t next = skip;
  Json answer = {{"kind", "storage#objects"}};
  for (auto object = objects_.lower_bound(prefix);
       object != objects_.end() && absl::StartsWith(object->first, prefix); ++object) {
    if (absl::StrContains(absl::string_view(object->first).substr(prefix.size()), "%2F")) continue;
    if (skip-- > 0) continue;
    Json& items = answer["items"];
    if (items.size() == 2) {
      answer["nextPageToken"] = absl::StrCat(next);
      break;
    }
    ++next;
    const std::string name = object->first.substr(bucket.size() + 1);
    items.push_back({{"name", absl::StrReplaceAll(name, {{"%2F", "/"}})},
                     {"generation", absl::StrCat(object->second.generation)}});
  }
  return Answer(200, DumpJson(answer));
}

HttpResponse FakeGcs::Media(const HttpRequest& request, const Object& object) {
  HttpResponse response = Answer(200, object.content);
  const std::string* const range = request.headers.Find("Range");
  if (range != nullptr) {
    const std::vector<std::string> ends = absl::StrSplit(absl::StripPrefix(*range, "bytes="), '-');
    const auto size = static_cast<int64_t>(object.content.size());
    const int64_t first = Number(ends[0]);
    if (first >= size) return Answer(416);
    const int64_t last = ends[1].empty() ? size - 1 : std::min(Number(ends[1]), size - 1);
    response =
        Answer(206, absl::string_view(object.content)
                        .substr(static_cast<size_t>(first), static_cast<size_t>(last - first + 1)));
    response.headers.Add("Content-Range", absl::StrCat("bytes ", first, "-", last, "/", size));
  }
  response.headers.Add("X-Goog-Hash", "crc32c=" + FormatCrc32c(Crc32c(object.content)));
  response.headers.Add("X-Goog-Generation", absl::StrCat(object.generation));
  response.headers.Add("X-Goog-Stored-Content-Length", absl::StrCat(object.content.size()));
  return response;
}

HttpResponse FakeGcs::Insert(const HttpRequest& request, absl::string_view body,
                             const std::string& bucket, absl::string_view query) {
  const std::string key = bucket + "/" + Parameter(query, "name");
  const int64_t expected = Number(Parameter(query, "ifGenerationMatch"));
  if (Parameter(query, "uploadType") == "resumable") {
    const std::string url = absl::StrCat("http://sessions/upload?upload_id=", ++last_generation_);
    sessions_[url] = {key, expected, "", std::nullopt};
    HttpResponse response = Answer(200);
    response.headers.Add("Location", url);
    return response;
  }
  const std::vector<std::string> type =
      absl::StrSplit(*request.headers.Find("Content-Type"), "boundary=");
  const std::string line = "\r\n--" + type.at(1);
  const size_t second = body.find(line);
  const size_t content = body.find("\r\n\r\n", second) + 4;
  const size_t end = body.rfind(line + "--");
  if (second == absl::string_view::npos || end < content) return Answer(400, "no such parts");
  return Store(key, expected, body.substr(content, end - content));
}

HttpResponse FakeGcs::Continue(const HttpRequest& request, absl::string_view body,
                               Session& session) {
  if (session.end) return *session.end;
  // "bytes 0-4/20" or, for a status query, "bytes */20".
  const std::vector<std::string> parts =
      absl::StrSplit(*request.headers.Find("Content-Range"), absl::ByAnyChar(" -/"));
  if (parts[1] != "*" && Number(parts[1]) != static_cast<int64_t>(session.content.size())) {
    return Answer(400, "the range does not start at the stored size");
  }
  absl::StrAppend(&session.content, body);
  const std::string total = parts.back();
  if (total == absl::StrCat(session.content.size())) {
    session.end = Store(session.key, session.expected, session.content);
    return *session.end;
  }
  HttpResponse response = Answer(308);
  if (!session.content.empty()) {
    response.headers.Add("Range", absl::StrCat("bytes=0-", session.content.size() - 1));
  }
  return response;
}

HttpResponse FakeGcs::Compose(const std::string& bucket, const std::string& name,
                              absl::string_view body, absl::string_view query) {
  const absl::StatusOr<Json> json = ParseJson(body);
  if (!json.ok()) return Answer(400, "no JSON");
  std::string content;
  for (const Json& source : json->value("sourceObjects", Json::array())) {
    const std::string key = bucket + "/" + PercentEncode(JsonText(source, "name"));
    const auto found = objects_.find(key);
    const std::string generation = JsonText(source, "generation");
    if (found == objects_.end() || Number(generation) != found->second.generation) {
      return Missing("No such object: " + key, query);
    }
    content += found->second.content;
  }
  return Store(bucket + "/" + name, Number(Parameter(query, "ifGenerationMatch")), content);
}

HttpResponse FakeGcs::Store(const std::string& key, int64_t expected, absl::string_view content) {
  const auto found = objects_.find(key);
  if ((found == objects_.end() ? 0 : found->second.generation) != expected) return Answer(412);
  Object& object = objects_[key];
  object = {std::string(content), ++last_generation_};
  if (on_store_) on_store_(key, object.generation);
  return Describe(object.content, object.generation);
}

}  // namespace sparkles
