// A self-signed certificate and its key.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace sparkles {

class TestCertificate {
 public:
  // For `common_name`, and for `alternative_name` ("IP:127.0.0.1") unless that is empty.
  explicit TestCertificate(const std::string& common_name,
                           const std::string& alternative_name = "");

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> ServerContext() const;
  std::string Pem() const;
  std::string KeyPem() const;

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

}  // namespace sparkles
