#include "tests/support/scripted_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Smaller than a body and not a power of two, so that no code depends on the size of pieces.
constexpr size_t kPiece = 1021;

std::string LineOf(const HttpRequest& request) {
  return absl::StrCat(request.method, " ", request.url);
}

absl::StatusOr<std::string> ReadBody(const HttpRequest& request, size_t at_most) {
  if (!request.body_source) return request.body;
  const uint64_t wanted = std::min<uint64_t>(request.body_bytes, at_most);
  std::string body;
  while (body.size() < wanted) {
    char buffer[kPiece];
    const auto capacity = std::min<uint64_t>(sizeof buffer, wanted - body.size());
    ASSIGN_OR_RETURN(const size_t count, request.body_source(buffer, size_t{capacity}));
    if (count == 0) return absl::AbortedError("scripted: the request's body ended early");
    body.append(buffer, count);
  }
  return body;
}

absl::Status DeliverResponse(const HttpRequest& request, HttpResponse& response) {
  const bool good = response.status >= 200 && response.status < 300;
  if (!good || !request.on_body) {
    if (response.body.size() <= request.max_body_bytes) return absl::OkStatus();
    return absl::ResourceExhaustedError("scripted: the response's body is too long");
  }
  const std::string body = std::exchange(response.body, "");
  for (size_t at = 0; at < body.size(); at += kPiece) {
    RETURN_IF_ERROR(request.on_body(response, absl::string_view(body).substr(at, kPiece)));
  }
  return absl::OkStatus();
}

}  // namespace

HttpResponse MakeResponse(int status, absl::string_view body,
                          const std::vector<std::pair<std::string, std::string>>& headers) {
  HttpResponse response;
  response.status = status;
  response.body = std::string(body);
  for (const auto& [name, value] : headers) response.headers.Add(name, value);
  return response;
}

ScriptedTransport::~ScriptedTransport() {
  MutexLock lock(mutex_);
  for (const Scripted& scripted : script_) {
    ADD_FAILURE() << "scripted, but never asked for: " << scripted.expected;
  }
}

void ScriptedTransport::Answer(absl::string_view expected, HttpResponse response) {
  Do(expected, [response = std::move(response)](const HttpRequest&) { return response; });
}

void ScriptedTransport::Fail(absl::string_view expected, absl::Status error) {
  Do(expected, [error = std::move(error)](const HttpRequest&) { return error; });
}

void ScriptedTransport::BreakOff(absl::string_view expected, HttpResponse part,
                                 absl::Status error) {
  Scripted scripted;
  scripted.expected = std::string(expected);
  scripted.exchange = [part = std::move(part)](const HttpRequest&) { return part; };
  scripted.broken = std::move(error);
  Add(std::move(scripted));
}

void ScriptedTransport::Do(absl::string_view expected, Exchange exchange) {
  Scripted scripted;
  scripted.expected = std::string(expected);
  scripted.exchange = std::move(exchange);
  Add(std::move(scripted));
}

void ScriptedTransport::FailUpload(absl::string_view expected, size_t bytes_sent,
                                   absl::Status error) {
  Scripted scripted;
  scripted.expected = std::string(expected);
  scripted.exchange = [error = std::move(error)](const HttpRequest&) { return error; };
  scripted.bytes_sent = bytes_sent;
  Add(std::move(scripted));
}

void ScriptedTransport::Add(Scripted scripted) {
  MutexLock lock(mutex_);
  script_.push_back(std::move(scripted));
}

std::vector<HttpRequest> ScriptedTransport::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

std::vector<std::string> ScriptedTransport::lines() const {
  MutexLock lock(mutex_);
  std::vector<std::string> lines;
  for (const HttpRequest& request : requests_) lines.push_back(LineOf(request));
  return lines;
}

absl::StatusOr<ScriptedTransport::Scripted> ScriptedTransport::Take(const HttpRequest& request) {
  MutexLock lock(mutex_);
  const std::string line = LineOf(request);
  for (auto scripted = script_.begin(); scripted != script_.end(); ++scripted) {
    if (!absl::StrContains(line, scripted->expected)) continue;
    Scripted taken = std::move(*scripted);
    script_.erase(scripted);
    return taken;
  }
  ADD_FAILURE() << "not scripted: " << line;
  return absl::InternalError(absl::StrCat("not scripted: ", line));
}

absl::StatusOr<HttpResponse> ScriptedTransport::Send(const HttpRequest& request) {
  if (request.cancel != nullptr && request.cancel->cancelled()) {
    return absl::CancelledError(request.cancel->reason());
  }
  ASSIGN_OR_RETURN(const Scripted scripted, Take(request));
  const absl::StatusOr<std::string> body = ReadBody(request, scripted.bytes_sent);
  HttpRequest sent = request;
  sent.body = body.value_or("");
  sent.body_source = nullptr;
  sent.on_body = nullptr;
  sent.on_progress = nullptr;
  sent.cancel = nullptr;
  {
    MutexLock lock(mutex_);
    requests_.push_back(sent);
  }
  sent.cancel = request.cancel;  // valid only during the exchange
  RETURN_IF_ERROR(body.status());
  if (request.on_progress) RETURN_IF_ERROR(request.on_progress());
  ASSIGN_OR_RETURN(HttpResponse response, scripted.exchange(sent));
  RETURN_IF_ERROR(DeliverResponse(request, response));
  RETURN_IF_ERROR(scripted.broken);
  return response;
}

}  // namespace sparkles
