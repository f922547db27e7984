// Limits the URLs that a credentials file may contain. A credentials file may come from a stranger,
// and must not make the worker send secrets to another host or fetch any URL.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// "host" or "host:port" of a URL, for messages and proxies; empty if the URL has no host.
std::string UrlAuthority(absl::string_view url);

// Ok for https on googleapis.com or its subdomains, and for http or https on this machine
// (127.0.0.0/8, [::1], localhost), which tests and proxies use. `field` is for the message.
absl::Status CheckGoogleUrl(absl::string_view url, absl::string_view field);

// Ok for a URL that may serve a subject token: https on any host, or http on this machine or a
// link-local address (the identity services of clouds).
absl::Status CheckIdentityUrl(absl::string_view url, absl::string_view field);

// True for this machine and for link-local addresses. A proxy cannot reach these.
bool IsLocalUrl(absl::string_view url);

}  // namespace sparkles
