// Tests how the libcurl transport looks up host names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "http/curl_transport.h"
#include "http/transient.h"
#include "tests/support/loopback_server.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;

HttpRequest RequestTo(const std::string& name, const LoopbackServer& server) {
  HttpRequest request;
  request.url = absl::StrReplaceAll(server.url(), {{"127.0.0.1", name}});
  return request;
}

HostAddresses Loopback() { return {{"127.0.0.1"}, absl::Minutes(1)}; }

TEST(CurlTransportName, LookedUpAddressIsUsed) {
  LoopbackServer server(AlwaysAnswer("hello"));
  std::string asked;
  CurlTransport transport(CaRoots{},
                          [&](const std::string& host, absl::Duration, const CancelToken*) {
                            asked = host;
                            return Loopback();
                          });
  HttpRequest request = RequestTo("cloud.test", server);
  request.method = "POST";
  request.body = "a";
  EXPECT_EQ(transport.Send(request)->body, "hello");
  EXPECT_EQ(asked, "cloud.test");
  EXPECT_THAT(server.requests().at(0), HasSubstr("Host: cloud.test:"));
}

TEST(CurlTransportName, KeptConnectionNeedsNoLookup) {
  LoopbackServer server(AlwaysAnswer("hello"));
  int lookups = 0;
  CurlTransport transport(CaRoots{}, [&](const std::string&, absl::Duration, const CancelToken*) {
    ++lookups;
    return HostAddresses{{"127.0.0.1"}, absl::ZeroDuration()};
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(transport.Send(RequestTo("cloud.test", server)).ok());
  EXPECT_EQ(lookups, 1);
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlTransportName, NumericAddressIsNotLookedUp) {
  LoopbackServer server(AlwaysAnswer("hello"));
  CurlTransport transport(CaRoots{},
                          [](const std::string& host, absl::Duration, const CancelToken*) {
                            ADD_FAILURE() << host;
                            return HostAddresses{};
                          });
  EXPECT_TRUE(transport.Send(RequestTo("127.0.0.1", server)).ok());
}

TEST(CurlTransportName, FailedLookupFallsBackToLibcurl) {
  LoopbackServer server(AlwaysAnswer("hello"));
  CurlTransport transport(CaRoots{}, [](const std::string&, absl::Duration, const CancelToken*) {
    return HostAddresses{};
  });
  EXPECT_EQ(transport.Send(RequestTo("localhost", server))->body, "hello");
}

TEST(CurlTransportName, DeadAddressIsSkipped) {
  LoopbackServer server(AlwaysAnswer("hello"));
  CurlTransport transport(CaRoots{}, [](const std::string&, absl::Duration, const CancelToken*) {
    return HostAddresses{{"127.0.0.2", "127.0.0.1"}, absl::Minutes(1)};
  });
  EXPECT_EQ(transport.Send(RequestTo("cloud.test", server))->body, "hello");
}

TEST(CurlTransportName, StopEndsLookup) {
  LoopbackServer server(AlwaysAnswer("hello"));
  CancelToken cancel;
  CurlTransport transport(CaRoots{},
                          [&](const std::string&, absl::Duration, const CancelToken* token) {
                            cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
                            while (!token->cancelled()) absl::SleepFor(absl::Milliseconds(1));
                            return HostAddresses{};
                          });
  HttpRequest request = RequestTo("cloud.test", server);
  request.cancel = &cancel;
  const absl::Status status = transport.Send(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("SIGTERM"));
}

TEST(CurlTransportName, LookupCountsTowardsTimeLimit) {
  LoopbackServer server([](LoopbackConnection& connection) { connection.WaitForEnd(); });
  CurlTransport transport(CaRoots{},
                          [](const std::string&, absl::Duration patience, const CancelToken*) {
                            EXPECT_EQ(patience, absl::Seconds(1));
                            absl::SleepFor(absl::Milliseconds(1900));
                            return Loopback();
                          });
  HttpRequest request = RequestTo("cloud.test", server);
  request.timeout = absl::Seconds(2);
  const absl::Time started = absl::Now();
  const absl::Status status = transport.Send(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_LT(absl::Now() - started, absl::Milliseconds(3500));
}

}  // namespace
}  // namespace sparkles
