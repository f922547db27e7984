#include "gcp/google_url.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/text.h"

namespace sparkles {
namespace {

constexpr size_t kMaxShownBytes = 200;

struct UrlParts {
  std::string scheme;  // lower case
  std::string host;    // lower case, without port; empty if the URL is refused
};

bool IsHostCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-';
}

bool IsHostName(absl::string_view host) {
  if (host == "[::1]") return true;
  return !host.empty() && std::all_of(host.begin(), host.end(), IsHostCharacter);
}

// Refuses a host with user names, backslashes, spaces or escapes, because another program may read
// such a URL in a different way.
UrlParts SplitUrl(absl::string_view url) {
  UrlParts parts;
  const size_t scheme_end = url.find("://");
  if (scheme_end == absl::string_view::npos) return parts;
  parts.scheme = absl::AsciiStrToLower(url.substr(0, scheme_end));
  absl::string_view host = url.substr(scheme_end + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  const size_t colon = host.rfind(':');
  if (colon != absl::string_view::npos && !absl::EndsWith(host, "]")) {
    uint32_t port = 0;
    if (!absl::SimpleAtoi(host.substr(colon + 1), &port) || port > 65535) return parts;
    host = host.substr(0, colon);
  }
  if (IsHostName(host)) parts.host = absl::AsciiStrToLower(host);
  return parts;
}

// The four numbers of an IPv4 address in dotted decimal form.
bool ParseIpv4(absl::string_view host, std::array<uint32_t, 4>& numbers) {
  const std::vector<absl::string_view> texts = absl::StrSplit(host, '.');
  if (texts.size() != numbers.size()) return false;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!absl::SimpleAtoi(texts[i], &numbers[i]) || numbers[i] > 255) return false;
  }
  return true;
}

bool IsLoopback(absl::string_view host) {
  std::array<uint32_t, 4> numbers;
  if (host == "localhost" || host == "[::1]") return true;
  return ParseIpv4(host, numbers) && numbers[0] == 127;
}

bool IsLinkLocal(absl::string_view host) {
  std::array<uint32_t, 4> numbers;
  return ParseIpv4(host, numbers) && numbers[0] == 169 && numbers[1] == 254;
}

bool IsHttp(const UrlParts& parts) { return parts.scheme == "http" || parts.scheme == "https"; }

absl::Status Refuse(absl::string_view url, absl::string_view field, absl::string_view rule) {
  // The message shows only the host, because the rest of the URL may contain a key.
  const std::string shown = UrlAuthority(url);
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", shown.empty() ? "is not a URL" : absl::StrCat("'", shown, "' "),
                   shown.empty() ? "; " : "is refused: ", rule));
}

}  // namespace

std::string UrlAuthority(absl::string_view url) {
  const size_t scheme_end = url.find("://");
  if (scheme_end == absl::string_view::npos) return "";
  absl::string_view authority = url.substr(scheme_end + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  const size_t user_end = authority.rfind('@');
  if (user_end != absl::string_view::npos) authority.remove_prefix(user_end + 1);
  return PrintableText(CutText(authority, kMaxShownBytes));
}

absl::Status CheckGoogleUrl(absl::string_view url, absl::string_view field) {
  const UrlParts parts = SplitUrl(url);
  const bool google =
      parts.host == "googleapis.com" || absl::EndsWith(parts.host, ".googleapis.com");
  if (google && parts.scheme == "https") return absl::OkStatus();
  if (IsHttp(parts) && IsLoopback(parts.host)) return absl::OkStatus();
  return Refuse(url, field, "it must be https on googleapis.com");
}

absl::Status CheckIdentityUrl(absl::string_view url, absl::string_view field) {
  const UrlParts parts = SplitUrl(url);
  if (parts.scheme == "https" && !parts.host.empty()) return absl::OkStatus();
  if (IsHttp(parts) && IsLocalUrl(url)) return absl::OkStatus();
  return Refuse(url, field, "it must be https, or an address of this machine");
}

bool IsLocalUrl(absl::string_view url) {
  const std::string host = SplitUrl(url).host;
  return IsLoopback(host) || IsLinkLocal(host);
}

}  // namespace sparkles
