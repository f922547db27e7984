#include "monitor/key_pair.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <ctime>
#include <limits>
#include <memory>

namespace sparkles {
namespace {

template <typename T, void (*kFree)(T*)>
struct Free {
  void operator()(T* object) const { kFree(object); }
};
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX, SSL_CTX_free>>;
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO, BIO_free_all>>;

// Refuses encrypted keys. OpenSSL's default would ask for a password on the terminal.
int NoPassword(char*, int, int, void*) { return 0; }

Bio MakeBio(const std::string& text) {
  if (text.size() > size_t{std::numeric_limits<int>::max()}) return nullptr;
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Null if the text has no certificate in PEM format.
Certificate ParseCertificate(const std::string& text) {
  const Bio bio = MakeBio(text);
  if (!bio) return nullptr;
  return Certificate(PEM_read_bio_X509_AUX(bio.get(), nullptr, NoPassword, nullptr));
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

const char* FindProblem(const std::string& certificate, const std::string& private_key) {
  const Context context(SSL_CTX_new(TLS_server_method()));
  const Bio key_bio = MakeBio(private_key);
  if (!context || !key_bio) return "out of memory";
  const Certificate parsed = ParseCertificate(certificate);
  if (!parsed) return "the certificate is not in PEM format";
  if (SSL_CTX_use_certificate(context.get(), parsed.get()) != 1)
    return "the certificate is too weak";
  const Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, NoPassword, nullptr));
  if (!key) return "the certificate's private key is not in PEM format";
  if (SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    return "the private key does not belong to the certificate";
  }
  return nullptr;
}

}  // namespace

absl::Status CheckKeyPair(const std::string& certificate, const std::string& private_key) {
  const char* problem = FindProblem(certificate, private_key);
  ERR_clear_error();  // the error queue belongs to the thread, and later calls read it
  return problem == nullptr ? absl::OkStatus() : absl::FailedPreconditionError(problem);
}

absl::StatusOr<CertificateDates> ReadCertificateDates(const std::string& certificate) {
  const Certificate parsed = ParseCertificate(certificate);
  ERR_clear_error();
  if (!parsed) return absl::FailedPreconditionError("the certificate is not in PEM format");
  return CertificateDates{TimeOf(X509_get0_notBefore(parsed.get())),
                          TimeOf(X509_get0_notAfter(parsed.get()))};
}

}  // namespace sparkles
