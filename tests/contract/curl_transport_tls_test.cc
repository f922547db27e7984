// Tests which TLS servers the libcurl transport trusts, and the errors for the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "http/curl_transport.h"
#include "http/transient.h"
#include "tests/support/loopback_server.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_certificate.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HttpRequest Get(const LoopbackServer& server) {
  HttpRequest request;
  request.url = server.url() + "/?token=secret";
  return request;
}

class CurlTransportTls : public testing::Test {
 protected:
  CaRoots RootsOf(const TestCertificate& certificate) {
    const std::string path = directory_.path() + "/roots.pem";
    EXPECT_TRUE(WriteFileAtomically(path, certificate.Pem(), /*durable=*/false).ok());
    return FindCaRoots(
        [&](const std::string& name) { return name == "SSL_CERT_FILE" ? path : std::string(); });
  }

  ~CurlTransportTls() override { (void)unsetenv("https_proxy"); }

  TempDirectory directory_;
  const TestCertificate certificate_{"sparkles test", "IP:127.0.0.1"};
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_ = certificate_.ServerContext();
  LoopbackServer server_{AlwaysAnswer("hello"), context_.get()};
};

TEST_F(CurlTransportTls, TrustedServerIsAccepted) {
  CurlTransport transport(RootsOf(certificate_));
  for (int i = 0; i < 3; ++i) {
    const auto response = transport.Send(Get(server_));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "hello");
  }
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(CurlTransportTls, UntrustedServerIsRefusedWithAdvice) {
  for (const CaRoots& roots : {RootsOf(TestCertificate("sparkles test", "IP:127.0.0.1")),
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

TEST_F(CurlTransportTls, CertificateForOtherNameIsRefused) {
  const TestCertificate other("sparkles test", "DNS:storage.googleapis.com");
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

TEST_F(CurlTransportTls, TunnelIsReusedForWrites) {
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

TEST_F(CurlTransportTls, PlainTextServerIsTransientError) {
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
