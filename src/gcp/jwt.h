// Signs JSON Web Tokens (RS256) for the service account grant, with OpenSSL.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace sparkles {

// A private RSA key. Immutable, therefore thread-safe.
class RsaKey {
 public:
  // Reads an unencrypted PEM text (PKCS#8 or PKCS#1). Errors never quote the text.
  static absl::StatusOr<RsaKey> Parse(absl::string_view pem);

  // "header.claims.signature", each part in base64url without padding.
  absl::StatusOr<std::string> SignJwt(const OrderedJson& header, const OrderedJson& claims) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  explicit RsaKey(std::unique_ptr<evp_pkey_st, Free> key) : key_(std::move(key)) {}

  std::unique_ptr<evp_pkey_st, Free> key_;
};

}  // namespace sparkles
