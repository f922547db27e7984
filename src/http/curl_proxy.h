// Finds the proxy that libcurl uses according to the environment.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

struct ProxyAddress {
  std::string host;  // a name, or a numeric address without brackets
  int port = 0;
  std::string variable;  // the environment variable, for example "HTTPS_PROXY"
};

// The proxy for URLs of `scheme`, without user and password. Ignores no_proxy. nullopt if no proxy
// is set or its address is malformed. `environment` returns the value of a variable, or "" if it is
// not set.
std::optional<ProxyAddress> FindProxy(
    absl::string_view scheme, const std::function<std::string(const char* name)>& environment);

// True if a proxy is set for URLs of `scheme`, even if its address is malformed.
bool HasProxy(absl::string_view scheme,
              const std::function<std::string(const char* name)>& environment);

// True if requests to `host` use a proxy: one is set, and no_proxy does not exempt the host.
bool UsesProxy(absl::string_view scheme,
               const std::function<std::string(const char* name)>& environment,
               absl::string_view host);

// "proxy.example:3128 (see HTTPS_PROXY)", for messages.
std::string DescribeProxy(const ProxyAddress& proxy);

}  // namespace sparkles
