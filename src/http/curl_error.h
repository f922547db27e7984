// libcurl's errors become absl::Status: the one translator.
#pragma once

#include <curl/curl.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "http/transport.h"

namespace sparkles {

struct CurlFailure {
  CURLcode code = CURLE_OK;
  std::string tls_detail;  // what libcurl's error buffer says; only used for errors of TLS
  long os_error = 0;       // errno of the socket; 0: none
  std::string proxy;       // of the connection; empty: no proxy
  long connect_code = 0;   // the proxy's answer to CONNECT; 0: none
  bool sent = false;       // at least a part of the request
  bool maybe_applied = false;
};

// As transport.h promises. `ca_origin` says where the CA roots come from.
absl::Status MakeCurlError(const HttpRequest& request, absl::string_view host,
                           absl::string_view ca_origin, const CurlFailure& failure);

}  // namespace sparkles
