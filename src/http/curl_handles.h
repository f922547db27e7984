// libcurl's handles, owned.
#pragma once

#include <curl/curl.h>

#include <memory>

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

}  // namespace sparkles
