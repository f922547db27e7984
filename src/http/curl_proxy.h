// The proxy that libcurl takes from the environment.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

struct ProxyAddress {
  std::string host;  // a name, or a numeric address without brackets
  int port = 0;
  std::string variable;  // that holds it: "HTTPS_PROXY"
};

// The proxy for URLs of `scheme`, without user and password. Does not look at no_proxy. nullopt if
// no proxy is set or its address cannot be read. `environment` returns a variable's value, or ""
// if it is not set.
std::optional<ProxyAddress> FindProxy(
    absl::string_view scheme, const std::function<std::string(const char* name)>& environment);

// "proxy.example:3128 (see HTTPS_PROXY)", for messages.
std::string DescribeProxy(const ProxyAddress& proxy);

}  // namespace sparkles
