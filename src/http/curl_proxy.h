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
  std::string variable;  // where it stands: "HTTPS_PROXY"
};

// The proxy for URLs of `scheme`, whatever no_proxy says, without user and password; nullopt if
// there is none or its address cannot be read. `environment` gives a variable's value, empty if
// it is not set.
std::optional<ProxyAddress> FindProxy(
    absl::string_view scheme, const std::function<std::string(const char* name)>& environment);

// "proxy.example:3128 (see HTTPS_PROXY)", for messages.
std::string DescribeProxy(const ProxyAddress& proxy);

}  // namespace sparkles
