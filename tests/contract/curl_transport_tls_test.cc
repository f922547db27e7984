// The libcurl transport and TLS: whom it trusts, whom it refuses, and what it says then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "http/curl_transport.h"
#include "http/transient.h"
#include "tests/support/loopback_server.h"
#include "tests/support/temp_folder.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A key and a certificate for `name`, signed with that very key.
class TestCertificate {
 public:
  explicit TestCertificate(const std::string& name)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    X509* certificate = certificate_.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key_.get());
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("sparkles test"), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_EXTENSION* alternative =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
    X509_add_ext(certificate, alternative, -1);
    X509_EXTENSION_free(alternative);
    EXPECT_GT(X509_sign(certificate, key_.get(), EVP_sha256()), 0);
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> ServerContext() const {
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                              SSL_CTX_free);
    EXPECT_EQ(SSL_CTX_use_certificate(context.get(), certificate_.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), key_.get()), 1);
    return context;
  }

  std::string Pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509(bio.get(), certificate_.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return std::string(data, static_cast<size_t>(size));
  }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

HttpRequest Get(const LoopbackServer& server) {
  HttpRequest request;
  request.url = server.url() + "/?token=secret";
  return request;
}

class CurlTransportTls : public testing::Test {
 protected:
  CaRoots RootsOf(const TestCertificate& certificate) {
    const std::string path = folder_.path() + "/roots.pem";
    EXPECT_TRUE(WriteFileAtomically(path, certificate.Pem(), /*durable=*/false).ok());
    return FindCaRoots(
        [&](const std::string& name) { return name == "SSL_CERT_FILE" ? path : std::string(); });
  }

  ~CurlTransportTls() override { (void)unsetenv("https_proxy"); }

  TempFolder folder_;
  const TestCertificate certificate_{"IP:127.0.0.1"};
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_ = certificate_.ServerContext();
  LoopbackServer server_{AlwaysAnswer("hello"), context_.get()};
};

TEST_F(CurlTransportTls, ServersWithATrustedRootAreAccepted) {
  CurlTransport transport(RootsOf(certificate_));
  for (int i = 0; i < 3; ++i) {
    const auto response = transport.Send(Get(server_));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "hello");
  }
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(CurlTransportTls, ServersWithoutATrustedRootAreRefusedWithAdvice) {
  for (const CaRoots& roots : {RootsOf(TestCertificate("IP:127.0.0.1")),
                               FindCaRoots([](const char*) { return std::string(); }),
                               FindCaRoots([](const char*) { return std::string(); }, {})}) {
    CurlTransport transport(roots);
    const absl::Status status = transport.Send(Get(server_)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_FALSE(IsTransient(status));
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr(server_.host() + ": SSL certificate problem: self"));
    EXPECT_THAT(message, HasSubstr(roots.origin));
    EXPECT_THAT(message, HasSubstr("SSL_CERT_FILE"));
    EXPECT_THAT(message, Not(HasSubstr("secret")));
  }
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(CurlTransportTls, CertificatesForAnotherNameAreRefused) {
  const TestCertificate other("DNS:storage.googleapis.com");
  const auto context = other.ServerContext();
  LoopbackServer server(AlwaysAnswer("hello"), context.get());
  CurlTransport transport(RootsOf(other));
  const absl::Status status = transport.Send(Get(server)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(CurlTransportTls, MissingRootsAreNamed) {
  CaRoots roots = RootsOf(certificate_);
  ASSERT_EQ(unlink(roots.file.c_str()), 0);
  CurlTransport transport(roots);
  const absl::Status status = transport.Send(Get(server_)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("SSL_CERT_FILE (" + roots.file + ")"));
}

TEST_F(CurlTransportTls, WritesThroughATunnelGoOutOnceAndReuseIt) {
  // The proxy and, at the end of the tunnel, the server.
  LoopbackServer proxy([&](LoopbackConnection& connection) {
    (void)connection.ReadHead();
    connection.Write("HTTP/1.1 200 Connection established\r\nX-Of-Proxy: 1\r\n\r\n");
    if (connection.StartTls(context_.get())) AlwaysAnswer("hello")(connection);
  });
  (void)setenv("https_proxy", absl::StrCat("http://", proxy.host()).c_str(), 1);
  CurlTransport transport(RootsOf(certificate_));
  HttpRequest request = Get(proxy);
  request.url = absl::StrCat("https://", server_.host(), "/");
  request.method = "POST";
  for (const char* body : {"", "the body"}) {
    request.body = body;
    const auto response = transport.Send(request);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->headers.Find("X-Of-Proxy"), nullptr);
  }
  EXPECT_EQ(proxy.requests().size(), 2);
  EXPECT_EQ(proxy.connections(), 1);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(CurlTransportTls, PlainTextServersAreATransientError) {
  LoopbackServer plain([](LoopbackConnection& connection) {
    connection.Write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  });
  CurlTransport transport(RootsOf(certificate_));
  HttpRequest request = Get(plain);
  request.url = absl::StrCat("https://", plain.host(), "/");
  const absl::Status status = transport.Send(request).status();
  EXPECT_TRUE(IsTransient(status)) << status;
  EXPECT_FALSE(MaybeApplied(status)) << status;
}

}  // namespace
}  // namespace sparkles
