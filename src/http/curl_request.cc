#include "http/curl_request.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

absl::Status BadUrl(absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("the URL of a request cannot be used: ", reason));
}

bool IsFieldValue(absl::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t';
  });
}

bool IsFraming(absl::string_view name) {
  return absl::EqualsIgnoreCase(name, "Content-Length") ||
         absl::EqualsIgnoreCase(name, "Transfer-Encoding") ||
         absl::EqualsIgnoreCase(name, "Expect");
}

bool Append(CurlList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) return false;
  if (list.get() != longer) list.reset(longer);  // later ones are appended to the same list
  return true;
}

}  // namespace

absl::StatusOr<HttpTarget> ParseTarget(const std::string& url) {
  const bool printable = std::all_of(url.begin(), url.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (!printable) return BadUrl("it has bytes that are not printable ASCII");
  if (absl::StrContains(url, '#')) return BadUrl("it has a fragment");
  const CurlUrl parsed(curl_url());
  if (parsed == nullptr) return absl::ResourceExhaustedError("out of memory");
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(),
                                      CURLU_PATH_AS_IS | CURLU_DISALLOW_USER);
  if (code != CURLUE_OK) return BadUrl(curl_url_strerror(code));
  const std::string scheme = PartOf(parsed, CURLUPART_SCHEME);
  if (scheme != "https" && scheme != "http") return BadUrl("neither https nor http");
  const std::string host = PartOf(parsed, CURLUPART_HOST);
  const std::string port = PartOf(parsed, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  HttpTarget target;
  target.scheme = scheme;
  target.name = HostOf(parsed);
  (void)absl::SimpleAtoi(PartOf(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT), &target.port);
  target.host = port.empty() ? host : absl::StrCat(host, ":", port);
  target.origin =
      absl::StrCat(scheme, "://", host, ":", PartOf(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT));
  return target;
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains("!#$%&'*+-.^_`|~", c);
  });
}

absl::Status CheckRequest(const HttpRequest& request) {
  if (!IsToken(request.method)) return absl::InvalidArgumentError("no HTTP method");
  if (IsSafeMethod(request.method) && (request.body_source || !request.body.empty())) {
    return absl::InvalidArgumentError(absl::StrCat("a ", request.method, " with a body"));
  }
  for (const auto& [name, value] : request.headers.entries()) {
    if (!IsToken(name)) return absl::InvalidArgumentError("a header's name is not a token");
    if (!IsFieldValue(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the header ", name, " has a control character"));
    }
  }
  return absl::OkStatus();
}

bool IsSafeMethod(absl::string_view method) { return method == "GET" || method == "HEAD"; }

uint64_t BodyBytes(const HttpRequest& request) {
  return request.body_source ? request.body_bytes : request.body.size();
}

CurlList MakeHeaderList(const HttpRequest& request) {
  CurlList list;
  // For long bodies libcurl would ask first, and wait up to a second for an answer.
  bool good = Append(list, "Expect:");
  // Else it would call every POST a form.
  if (request.headers.Find("Content-Type") == nullptr) good = good && Append(list, "Content-Type:");
  for (const auto& [name, value] : request.headers.entries()) {
    if (IsFraming(name)) continue;
    // "Name:" would take the header away; "Name;" is how libcurl spells an empty one.
    good = good && Append(list, value.empty() ? name + ";" : absl::StrCat(name, ": ", value));
  }
  return good ? std::move(list) : nullptr;
}

}  // namespace sparkles
