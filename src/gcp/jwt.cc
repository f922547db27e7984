#include "gcp/jwt.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <climits>
#include <cstddef>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

// Google refuses shorter keys.
constexpr int kMinBits = 2048;

// WebSafeBase64Escape writes base64url: '-' and '_', no padding.
std::string Encoded(absl::string_view bytes) { return absl::WebSafeBase64Escape(bytes); }

// Replaces OpenSSL's own callback, which would ask on the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::Status SigningFailed() {
  ERR_clear_error();
  return absl::InternalError("the private key cannot sign");
}

}  // namespace

void RsaKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

absl::StatusOr<RsaKey> RsaKey::Parse(absl::string_view pem) {
  if (pem.size() > INT_MAX) return absl::InvalidArgumentError("is too long");
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  std::unique_ptr<evp_pkey_st, Free> key(
      bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr) : nullptr);
  ERR_clear_error();
  if (!key) {
    return absl::InvalidArgumentError(
        "is not a private key in PEM form (separate its lines with \\n)");
  }
  if (EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA || EVP_PKEY_bits(key.get()) < kMinBits) {
    return absl::InvalidArgumentError(
        absl::StrCat("is not an RSA key of ", kMinBits, " bits or more"));
  }
  return RsaKey(std::move(key));
}

absl::StatusOr<std::string> RsaKey::SignJwt(const OrderedJson& header,
                                            const OrderedJson& claims) const {
  const std::string text = absl::StrCat(Encoded(DumpJson(header)), ".", Encoded(DumpJson(claims)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  size_t size = 0;
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1) {
    return SigningFailed();
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes, text.size()) != 1) {
    return SigningFailed();
  }
  signature.resize(size);
  return absl::StrCat(text, ".", Encoded(signature));
}

}  // namespace sparkles
