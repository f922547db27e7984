// Translates libcurl's errors to absl::Status.
#pragma once

#include <curl/curl.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "http/transport.h"

namespace sparkles {

struct CurlFailure {
  CURLcode code = CURLE_OK;
  std::string tls_detail;      // the text of libcurl's error buffer, used only for TLS errors
  long os_error = 0;           // the socket's errno, or 0
  std::string proxy;           // the proxy of the connection, or empty
  long connect_code = 0;       // the HTTP status of the proxy's answer to CONNECT, or 0
  bool sent = false;           // at least a part of the request was sent
  bool maybe_applied = false;  // see http/transient.h
};

// The errors are as transport.h describes them. `ca_origin` is the origin of the CA roots.
absl::Status MakeCurlError(const HttpRequest& request, absl::string_view host,
                           absl::string_view ca_origin, const CurlFailure& failure);

}  // namespace sparkles
