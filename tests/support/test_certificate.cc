#include "tests/support/test_certificate.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace sparkles {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Bio Memory() { return Bio(BIO_new(BIO_s_mem()), BIO_free); }

std::string Content(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

TestCertificate::TestCertificate(const std::string& common_name,
                                 const std::string& alternative_name)
    : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
  X509* certificate = certificate_.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key_.get());
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate, subject);
  if (!alternative_name.empty()) {
    X509_EXTENSION* alternative =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_name.c_str());
    X509_add_ext(certificate, alternative, -1);
    X509_EXTENSION_free(alternative);
  }
  EXPECT_GT(X509_sign(certificate, key_.get(), EVP_sha256()), 0);
}

std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> TestCertificate::ServerContext() const {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                            SSL_CTX_free);
  EXPECT_EQ(SSL_CTX_use_certificate(context.get(), certificate_.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), key_.get()), 1);
  return context;
}

std::string TestCertificate::Pem() const {
  const Bio bio = Memory();
  PEM_write_bio_X509(bio.get(), certificate_.get());
  return Content(bio);
}

std::string TestCertificate::KeyPem() const {
  const Bio bio = Memory();
  PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return Content(bio);
}

}  // namespace sparkles
