#include "tests/sim/network.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "gcp/entity.h"
#include "http/transient.h"
#include "tests/sim/entities.h"

namespace sparkles {
namespace {

// The timeout of packets that get no answer.
constexpr absl::Duration kConnectTimeout = absl::Seconds(3);
constexpr absl::Duration kProgressInterval = absl::Seconds(1);

absl::Status NetworkError(const char* what, bool maybe_applied) {
  return Transient(absl::UnavailableError(what), maybe_applied);
}

HttpResponse Refusal(int code, const char* status) {
  HttpResponse response;
  response.status = code;
  const Json error = {{"code", code}, {"status", status}, {"message", "a fault made this answer"}};
  response.body = DumpJson(Json{{"error", error}});
  return response;
}

bool IsToDatastore(const HttpRequest& request) {
  return absl::StartsWith(request.url, "http://datastore");
}

// The position of the content in the body of an upload; nullopt without content.
std::optional<std::pair<size_t, size_t>> FindContent(const HttpRequest& request) {
  if (request.method == "PUT") {
    const size_t size = request.body_source ? request.body_bytes : request.body.size();
    if (size == 0) return std::nullopt;
    return std::pair<size_t, size_t>(0, size);
  }
  // The content is the second of two parts, between an empty line and the line that ends both.
  if (!absl::StrContains(request.url, "uploadType=multipart")) return std::nullopt;
  const size_t first = request.body.find("\r\n\r\n");
  const size_t begin = request.body.find("\r\n\r\n", first + 4) + 4;
  const size_t end = request.body.rfind("\r\n--");
  if (first == std::string::npos || end == std::string::npos || end <= begin) return std::nullopt;
  return std::pair<size_t, size_t>(begin, end);
}

absl::StatusOr<std::string> WholeBody(const HttpRequest& request) {
  if (!request.body_source) return request.body;
  std::string body(request.body_bytes, '\0');
  for (size_t at = 0; at < body.size();) {
    ASSIGN_OR_RETURN(const size_t got, request.body_source(&body[at], body.size() - at));
    if (got == 0) return absl::AbortedError("the request's body ended early");
    at += got;
  }
  return body;
}

// "commit", "POST multipart", "GET" and so on, for the trace.
std::string NameOf(const HttpRequest& request, bool to_datastore) {
  if (to_datastore) return request.url.substr(request.url.rfind(':') + 1);
  const size_t query = request.url.find('?');
  const std::string place = request.url.substr(0, query);
  const bool media = absl::StrContains(request.url, "alt=media");
  return absl::StrCat(request.method, media ? " media " : " ",
                      place.substr(place.find_last_of('/') + 1));
}

}  // namespace

bool SimTransport::ShouldInject(Fault fault, const HttpRequest& request) {
  if (!world_.ShouldInject(fault)) return false;
  world_.Disturb(machine_, absl::ZeroDuration());
  if (!IsToDatastore(request)) world_.judge.StorageFaultInjected(author_, fault);
  return true;
}

absl::Status SimTransport::CheckAlive(const HttpRequest& request) {
  if (world_.scheduler.Dismissed()) return absl::CancelledError("this worker is dead");
  if (request.cancel != nullptr && request.cancel->cancelled()) {
    return absl::CancelledError(request.cancel->reason());
  }
  return absl::OkStatus();
}

absl::StatusOr<HttpResponse> SimTransport::Send(const HttpRequest& request) {
  const bool to_datastore = IsToDatastore(request);
  if (absl::EndsWith(request.url, ":commit")) NoteClaim(request);
  if (!world_.Step(machine_, NameOf(request, to_datastore))) {
    return absl::CancelledError("this worker is dead");
  }
  RETURN_IF_ERROR(CheckAlive(request));
  absl::StatusOr<HttpResponse> response = Travel(request, to_datastore);
  Learn(request, response);
  // The worker may also die between the request and the answer.
  if (!world_.Step(machine_, response.ok() ? absl::StrCat("<- ", response->status) : "<- error")) {
    return absl::CancelledError("this worker is dead");
  }
  return response;
}

void SimTransport::NoteClaim(const HttpRequest& request) {
  const Json body = ParseJson(request.body).value();
  const Json& entity = body["mutations"][0]["update"];
  const std::optional<EntityKey> key = ParseEntityKey(entity["key"]);
  if (key && TextIn(entity, "status") == "claimed") world_.judge.ClaimIsSent(author_, key->name);
}

void SimTransport::Learn(const HttpRequest& request, const absl::StatusOr<HttpResponse>& response) {
  if (!absl::EndsWith(request.url, ":runQuery") || !response.ok()) return;
  const absl::StatusOr<Json> answer = ParseJson(response->body);
  if (response->status != 200 || !answer.ok() || !answer->contains("batch")) return;
  const Json found = (*answer)["batch"].value("entityResults", Json::array());
  world_.judge.Queried(author_, found.empty());
}

absl::StatusOr<HttpResponse> SimTransport::Travel(const HttpRequest& request, bool to_datastore) {
  const World::Reach reach = world_.ReachOf(machine_, to_datastore);
  if (reach != World::Reach::kUp && !to_datastore) {
    world_.judge.StorageFaultInjected(author_, Fault::kOutage);
  }
  if (reach == World::Reach::kBeginsToBeAway) {
    if (world_.scheduler.Chance(0.5)) (void)world_.Serve(author_, request);
    return NetworkError("connection reset", true);
  }
  if (reach == World::Reach::kAway) {
    const CancelToken never;
    const CancelToken* cancel = request.cancel != nullptr ? request.cancel : &never;
    world_.scheduler.Sleep(std::min(request.timeout, kConnectTimeout), cancel);
    RETURN_IF_ERROR(CheckAlive(request));
    return NetworkError("no route to the host", false);
  }
  if (ShouldInject(Fault::kRefused, request)) return NetworkError("connection refused", false);
  if (ShouldInject(Fault::kStatus, request)) {
    constexpr int kCodes[] = {429, 500, 502, 503, 504};
    const bool applied = world_.scheduler.Chance(0.3);
    if (applied) (void)world_.Serve(author_, request);
    return Refusal(kCodes[world_.scheduler.Random(std::size(kCodes))], "UNAVAILABLE");
  }
  if (ShouldInject(Fault::kForbidden, request)) return Refusal(403, "PERMISSION_DENIED");
  if (to_datastore && ShouldInject(Fault::kContention, request)) return Refusal(409, "ABORTED");
  if (ShouldInject(Fault::kGarbage, request)) {
    if (world_.scheduler.Chance(0.5)) (void)world_.Serve(author_, request);
    HttpResponse page;
    page.status = 200;
    page.body = "<html>Welcome to the hotel's network</html>";
    if (!request.on_body) return page;
    const std::string body = std::exchange(page.body, "");
    RETURN_IF_ERROR(request.on_body(page, body));
    return page;
  }
  if (absl::EndsWith(request.url, ":runQuery") && ShouldInject(Fault::kNotListed, request)) {
    HttpResponse none;
    none.status = 200;
    none.body = R"({"batch": {"moreResults": "NO_MORE_RESULTS"}})";
    return none;
  }
  if (ShouldInject(Fault::kDelay, request)) return Delayed(request);
  return Unknown(request);
}

absl::StatusOr<HttpResponse> SimTransport::Unknown(const HttpRequest& request) {
  if (ShouldInject(Fault::kLost, request)) return NetworkError("connection reset", true);
  // A body that is read from a file is gone after the connection.
  const bool whole = !request.body_source;
  if (whole && ShouldInject(Fault::kLate, request)) {
    world_.ServeLater(author_, request, world_.scheduler.RandomDuration(absl::Minutes(2)));
    return NetworkError("connection timed out", true);
  }
  if (whole && ShouldInject(Fault::kTwice, request)) {
    HttpRequest first = request;
    first.on_body = nullptr;
    (void)world_.Serve(author_, first);
  }
  const bool answer_lost = ShouldInject(Fault::kAnswerLost, request);
  absl::StatusOr<HttpResponse> response = Disturbed(request);
  if (answer_lost) return NetworkError("connection reset", true);
  return response;
}

absl::StatusOr<HttpResponse> SimTransport::Delayed(const HttpRequest& request) {
  const absl::Duration delay = world_.scheduler.RandomDuration(absl::Seconds(40));
  world_.Disturb(machine_, delay);
  const bool before = world_.scheduler.Chance(0.5);
  absl::StatusOr<HttpResponse> response = absl::UnknownError("");
  if (!before) response = Unknown(request);
  const CancelToken never;
  const CancelToken* cancel = request.cancel != nullptr ? request.cancel : &never;
  const absl::Duration max_wait = std::min(delay, std::min(request.timeout, request.stall_timeout));
  // As in the real transport, the request can be cancelled every second.
  for (absl::Duration waited; waited < max_wait; waited += kProgressInterval) {
    world_.scheduler.Sleep(std::min(kProgressInterval, max_wait - waited), cancel);
    RETURN_IF_ERROR(CheckAlive(request));
    if (request.on_progress) RETURN_IF_ERROR(request.on_progress());
  }
  if (before) response = Unknown(request);
  if (delay > max_wait) return Transient(absl::DeadlineExceededError("timed out"), true);
  return response;
}

absl::StatusOr<HttpResponse> SimTransport::Disturbed(const HttpRequest& request) {
  if (request.on_body) return DisturbedDownload(request);
  return FindContent(request) ? DisturbedUpload(request) : world_.Serve(author_, request);
}

// The download may end early, or have a wrong byte.
absl::StatusOr<HttpResponse> SimTransport::DisturbedDownload(const HttpRequest& request) {
  const bool cut = ShouldInject(Fault::kCut, request);
  const bool flip = ShouldInject(Fault::kFlip, request);
  if (!cut && !flip) return world_.Serve(author_, request);
  const uint64_t place = world_.scheduler.Random(100'000);
  HttpRequest disturbed = request;
  disturbed.on_body = [&](const HttpResponse& response, absl::string_view piece) {
    std::string bytes(piece);
    if (flip && !bytes.empty()) bytes[place % bytes.size()] ^= 1;
    if (cut) bytes.resize(place % (bytes.size() + 1));
    RETURN_IF_ERROR(request.on_body(response, bytes));
    return cut ? NetworkError("connection reset", true) : absl::OkStatus();
  };
  return world_.Serve(author_, disturbed);
}

// A wrong byte may be stored. A session may be gone, or keep only a part, with or without an
// answer.
absl::StatusOr<HttpResponse> SimTransport::DisturbedUpload(const HttpRequest& request) {
  const bool in_session = request.method == "PUT";
  if (in_session && ShouldInject(Fault::kSession, request)) {
    return Refusal(world_.scheduler.Chance(0.5) ? 404 : 410, "NOT_FOUND");
  }
  const bool flip = ShouldInject(Fault::kFlip, request);
  const bool cut = in_session && ShouldInject(Fault::kCut, request);
  if (!cut && !flip) return world_.Serve(author_, request);
  HttpRequest disturbed = request;
  ASSIGN_OR_RETURN(disturbed.body, WholeBody(request));
  disturbed.body_source = nullptr;
  const auto [begin, end] = *FindContent(disturbed);
  const size_t place = begin + world_.scheduler.Random(end - begin);
  if (flip) disturbed.body[place] ^= 1;
  if (!cut) return world_.Serve(author_, disturbed);
  disturbed.body.resize(place);  // the server expects more because of the Content-Range
  absl::StatusOr<HttpResponse> kept = world_.Serve(author_, disturbed);
  if (world_.scheduler.Chance(0.5)) return NetworkError("connection reset", true);
  return kept;
}

}  // namespace sparkles
