// Which addresses a credentials file may choose. Such files come from outside: one that could send
// the machine's secrets to any host, or make the worker fetch any URL, would be a weapon.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// "host" or "host:port" of a URL, for messages and proxies; empty if it has none.
std::string UrlAuthority(absl::string_view url);

// Ok for https on googleapis.com or a host below it, and for http or https on this very machine
// (127.0.0.0/8, [::1], localhost), where tests and proxies listen. `field` is for the message.
absl::Status CheckGoogleUrl(absl::string_view url, absl::string_view field);

// Ok for https anywhere, and for http on this machine or a link-local address (the identity
// services of clouds): where a subject token may be fetched from.
absl::Status CheckIdentityUrl(absl::string_view url, absl::string_view field);

// True for this machine and link-local addresses, which no proxy can reach for us.
bool IsLocalUrl(absl::string_view url);

}  // namespace sparkles
