// libcurl's handles, owned, and what its URL parser finds. The parser of what is sent: whether a
// URL may be used at all is decided by stricter rules (http/url.h, gcp/google_url.h).
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "absl/strings/strip.h"

namespace sparkles {

template <auto kRelease>
struct CurlDeleter {
  template <typename Handle>
  void operator()(Handle* handle) const {
    kRelease(handle);
  }
};

using CurlEasy = std::unique_ptr<CURL, CurlDeleter<curl_easy_cleanup>>;
using CurlMulti = std::unique_ptr<CURLM, CurlDeleter<curl_multi_cleanup>>;
using CurlUrl = std::unique_ptr<CURLU, CurlDeleter<curl_url_cleanup>>;
using CurlList = std::unique_ptr<curl_slist, CurlDeleter<curl_slist_free_all>>;
using CurlText = std::unique_ptr<char, CurlDeleter<curl_free>>;

// Empty if `url` has no such part.
inline std::string PartOf(const CurlUrl& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return "";
  return CurlText(text).get();
}

// The host, an IPv6 address without brackets.
inline std::string HostOf(const CurlUrl& url) {
  const std::string host = PartOf(url, CURLUPART_HOST);
  return std::string(absl::StripPrefix(absl::StripSuffix(host, "]"), "["));
}

}  // namespace sparkles
