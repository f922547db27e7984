// Tests the libcurl transport against servers that break, stall or send malformed answers. No write
// is sent twice. Each error says whether the server may have applied the request. No error holds a
// secret.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "http/curl_transport.h"
#include "http/transient.h"
#include "tests/support/loopback_server.h"
#include "tests/support/refusing_port.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kToken[] = "ya29.secret";

HttpRequest Request(const std::string& method, const LoopbackServer& server) {
  HttpRequest request;
  request.method = method;
  request.url = server.url() + "/session-secret?upload_id=secret";
  request.headers.Add("Authorization", absl::StrCat("Bearer ", kToken));
  return request;
}

// Sends `request`, which must fail with an error that names `server` and holds no secret.
absl::Status Failure(CurlTransport& transport, const HttpRequest& request,
                     const LoopbackServer& server) {
  const absl::Status status = transport.Send(request).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), StartsWith(server.host() + ": "));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
  return status;
}

void ExpectTransient(const absl::Status& status, bool maybe_applied) {
  EXPECT_TRUE(IsTransient(status)) << status;
  EXPECT_EQ(MaybeApplied(status), maybe_applied) << status;
}

// Answers the first request of the first connection, and resets that connection after its second
// request. Other connections answer all requests.
void DieWhenUsedAgain(LoopbackConnection& connection) {
  for (int i = 1; connection.ReadRequest(); ++i) {
    if (connection.number() == 1 && i == 2) return connection.Reset();
    connection.Answer(200, absl::StrCat(connection.number()));
  }
}

TEST(CurlTransportFault, UnresolvedNameIsTransientEachTime) {
  CurlTransport transport{CaRoots{}};
  HttpRequest request;
  request.method = "GET";
  // This label is longer than DNS allows, so no name server is asked.
  const std::string host = std::string(64, 'a') + ".example";
  request.url = "http://" + host + "/";
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = transport.Send(request).status();
    ExpectTransient(status, /*maybe_applied=*/false);
    EXPECT_THAT(std::string(status.message()), StartsWith(host + ": "));
    EXPECT_THAT(std::string(status.message()), HasSubstr("resolve"));
  }
}

class WriteOnDeadConnection : public testing::TestWithParam<const char*> {};

TEST_P(WriteOnDeadConnection, IsNeverSentTwice) {
  for (const absl::string_view body : {"", "the body"}) {
    LoopbackServer server(DieWhenUsedAgain);
    CurlTransport transport{CaRoots{}};
    ASSERT_TRUE(transport.Send(Request("GET", server)).ok());
    HttpRequest request = Request(GetParam(), server);
    request.body = std::string(body);
    ExpectTransient(Failure(transport, request, server), /*maybe_applied=*/true);
    EXPECT_THAT(server.requests(), SizeIs(2));
    // The transport can still use the slot of the dead connection.
    EXPECT_TRUE(transport.Send(request).ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, WriteOnDeadConnection,
                         testing::Values("POST", "PUT", "DELETE", "PATCH"),
                         [](const auto& method) { return std::string(method.param); });

TEST(CurlTransportFault, ReadOnDeadConnectionIsRetried) {
  LoopbackServer server(DieWhenUsedAgain);
  CurlTransport transport{CaRoots{}};
  ASSERT_TRUE(transport.Send(Request("GET", server)).ok());
  const auto response = transport.Send(Request("GET", server));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "2");
}

TEST(CurlTransportFault, PartiallySentBodyIsNotApplied) {
  LoopbackServer server([](LoopbackConnection& connection) {
    if (connection.number() > 1) return AlwaysAnswer("")(connection);
    (void)connection.ReadRequest();
    connection.Answer(200);
    (void)connection.ReadHead();
    connection.Reset();
  });
  CurlTransport transport{CaRoots{}};
  ASSERT_TRUE(transport.Send(Request("GET", server)).ok());
  HttpRequest request = Request("POST", server);
  request.body = std::string(32 << 20, 'x');
  ExpectTransient(Failure(transport, request, server), /*maybe_applied=*/false);
  EXPECT_THAT(server.requests(), SizeIs(1));
}

TEST(CurlTransportFault, EndedIdleConnectionIsReplaced) {
  std::promise<void> answered;
  std::promise<void> ended;
  LoopbackServer server([&](LoopbackConnection& connection) {
    if (connection.number() > 1) return AlwaysAnswer("2")(connection);
    (void)connection.ReadRequest();
    connection.Answer(200, "1");
    answered.get_future().wait();
    connection.Reset();
    ended.set_value();
  });
  CurlTransport transport{CaRoots{}};
  ASSERT_TRUE(transport.Send(Request("GET", server)).ok());
  answered.set_value();
  ended.get_future().wait();
  EXPECT_EQ(transport.Send(Request("POST", server))->body, "2");
}

TEST(CurlTransportFault, RefusedConnectionIsNotApplied) {
  const RefusingPort port;
  LoopbackServer model(AlwaysAnswer(""));
  HttpRequest request = Request("POST", model);
  request.url = absl::StrReplaceAll(request.url, {{model.host(), port.host()}});
  CurlTransport transport{CaRoots{}};
  const absl::Status status = transport.Send(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Connection refused"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
  ExpectTransient(status, /*maybe_applied=*/false);
}

struct Malformed {
  std::string name;
  std::string answer;
};

class MalformedAnswer : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedAnswer, IsTransientAndMaybeApplied) {
  LoopbackServer server([](LoopbackConnection& connection) {
    (void)connection.ReadRequest();
    connection.Write(GetParam().answer);
  });
  CurlTransport transport{CaRoots{}};
  const absl::Status status = Failure(transport, Request("POST", server), server);
  ExpectTransient(status, /*maybe_applied=*/true);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, MalformedAnswer,
    testing::Values(
        Malformed{"nothing", ""}, Malformed{"garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\nsecret\r\n"},
        Malformed{"odd_status", "HTTP/2 0. 110 OK\r\nContent-Length: 0\r\n\r\n"},
        Malformed{"half_a_head", "HTTP/1.1 200 OK\r\nContent-Le"},
        Malformed{"cut_body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"},
        Malformed{"bad_chunk",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret!\r\nhello"},
        Malformed{"cut_chunks",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
        Malformed{"bad_length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"},
        Malformed{"endless_header", "HTTP/1.1 200 OK\r\nX-A: " + std::string(2 << 20, 'a')}),
    [](const auto& answer) { return answer.param.name; });

TEST(CurlTransportFault, OverlongHeadersAreRefused) {
  std::string lines;
  for (int i = 0; i < 290; ++i) absl::StrAppend(&lines, "X-A: ", std::string(1000, 'a'), "\r\n");
  const std::string line = "X-A: " + std::string(200 << 10, 'a') + "\r\n";
  for (const auto& [headers, reason] : {std::pair(lines, ": headers of more than 262144 bytes"),
                                        std::pair(line, ": a header line of more than 102400")}) {
    LoopbackServer server([head = headers](LoopbackConnection& connection) {
      (void)connection.ReadRequest();
      connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + head + "\r\n");
    });
    CurlTransport transport{CaRoots{}};
    const absl::Status status = Failure(transport, Request("GET", server), server);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
    ExpectTransient(status, /*maybe_applied=*/true);
  }
}

TEST(CurlTransportFault, BodyLimitCountsUnpackedBytes) {
  // 100 times "a".
  const std::string packed(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x4c\xa4\x3d\x00\x00\x64\x7a\x70\xaf"
      "\x64\x00\x00\x00",
      24);
  LoopbackServer server([&](LoopbackConnection& connection) {
    while (connection.ReadRequest()) connection.Answer(200, packed, "Content-Encoding: gzip\r\n");
  });
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Request("GET", server);
  request.accept_compressed = true;
  request.max_body_bytes = 100;
  EXPECT_TRUE(transport.Send(request).ok());
  request.max_body_bytes = 99;
  EXPECT_EQ(Failure(transport, request, server).code(), absl::StatusCode::kResourceExhausted);
}

TEST(CurlTransportFault, ErrorResponsesBypassSink) {
  LoopbackServer server([](LoopbackConnection& connection) {
    while (connection.ReadRequest()) connection.Answer(404, "No such object");
  });
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Request("GET", server);
  request.on_body = [](const HttpResponse&, absl::string_view) {
    return absl::InternalError("must not be called");
  };
  const auto response = transport.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->body, "No such object");
}

TEST(CurlTransportFault, EarlyAnswerIsReturned) {
  LoopbackServer server([](LoopbackConnection& connection) {
    (void)connection.ReadHead();
    connection.Answer(412, "generation mismatch", "Connection: close\r\n");
    connection.WaitForEnd();
  });
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Request("POST", server);
  request.body = std::string(32 << 20, 'x');
  const auto response = transport.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 412);
  EXPECT_EQ(response->body, "generation mismatch");
}

TEST(CurlTransportFault, SourceAndSinkErrorsStayUnchanged) {
  LoopbackServer server(AlwaysAnswer("hello"));
  CurlTransport transport{CaRoots{}};
  const absl::Status error = absl::DataLossError("disk: gone");
  HttpRequest source = Request("POST", server);
  source.body_source = [&](char*, size_t) { return error; };
  source.body_bytes = 10;
  EXPECT_EQ(transport.Send(source).status(), error);
  HttpRequest sink = Request("GET", server);
  sink.on_body = [&](const HttpResponse&, absl::string_view) { return error; };
  EXPECT_EQ(transport.Send(sink).status(), error);
  EXPECT_EQ(transport.Send(Request("GET", server))->body, "hello");
}

TEST(CurlTransportFault, ShortSourceAbortsRequest) {
  LoopbackServer server(AlwaysAnswer(""));
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Request("POST", server);
  request.body_source = [](char*, size_t) { return 0; };
  request.body_bytes = 10;
  EXPECT_EQ(Failure(transport, request, server).code(), absl::StatusCode::kAborted);
  EXPECT_THAT(server.requests(), SizeIs(0));
}

// The bytes that a server sends before it stalls: none, or the head and half of the body.
const char* const kStalledAnswers[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"};

LoopbackServer::Handler StallAfter(std::string answer) {
  return [answer = std::move(answer)](LoopbackConnection& connection) {
    (void)connection.ReadRequest();
    connection.Write(answer);
    connection.WaitForEnd();
  };
}

// Returns the time from the cancellation of an exchange that stalls after `answer` to its end.
std::chrono::steady_clock::duration TimeToCancel(const char* answer) {
  std::promise<void> stalled;
  LoopbackServer server([&](LoopbackConnection& connection) {
    (void)connection.ReadRequest();
    connection.Write(answer);
    stalled.set_value();
    connection.WaitForEnd();
  });
  CurlTransport transport{CaRoots{}};
  CancelToken cancel;
  std::chrono::steady_clock::time_point cancelled;
  std::thread canceller([&] {
    stalled.get_future().wait();
    cancelled = std::chrono::steady_clock::now();
    cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  });
  HttpRequest request = Request("GET", server);
  request.cancel = &cancel;
  const absl::Status status = Failure(transport, request, server);
  const auto ended = std::chrono::steady_clock::now();
  canceller.join();
  EXPECT_EQ(status, absl::CancelledError(server.host() + ": SIGTERM"));
  return ended - cancelled;
}

TEST(CurlTransportFault, CancelEndsStalledExchangeAtOnce) {
  constexpr auto kAtOnce = std::chrono::milliseconds(200);
  for (const char* answer : kStalledAnswers) {
    auto least = TimeToCancel(answer);  // on a busy machine, one may be late, but not each
    for (int i = 0; i < 10 && least >= kAtOnce; ++i) least = std::min(least, TimeToCancel(answer));
    EXPECT_LT(least, kAtOnce);
  }
}

TEST(CurlTransportFault, NothingIsSentAfterCancel) {
  LoopbackServer server(AlwaysAnswer(""));
  CurlTransport transport{CaRoots{}};
  CancelToken cancel;
  cancel.Cancel(CancelKind::kKilled, "killed");
  HttpRequest request = Request("GET", server);
  request.cancel = &cancel;
  EXPECT_EQ(Failure(transport, request, server).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(server.connections(), 0);
}

// A busy machine may use up a short limit before the request is sent, but not every time.
absl::Status FailureOnceSent(const HttpRequest& request, LoopbackServer& server) {
  absl::Status status;
  for (int i = 0; i < 20 && !MaybeApplied(status); ++i) {
    CurlTransport transport{CaRoots{}};
    status = Failure(transport, request, server);
  }
  return status;
}

TEST(CurlTransportFault, StalledExchangeTimesOut) {
  for (const char* answer : kStalledAnswers) {
    LoopbackServer server(StallAfter(answer));
    HttpRequest request = Request("POST", server);
    request.stall_timeout = absl::Milliseconds(50);
    const absl::Status status = FailureOnceSent(request, server);
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(std::string(status.message()), HasSubstr("no byte moved for 50ms"));
    ExpectTransient(status, /*maybe_applied=*/true);
  }
}

// The server sends single bytes to keep a dead connection open. The limit is 2 bytes in 2 seconds.
TEST(CurlTransportFault, TricklingBodyTimesOut) {
  std::promise<void> given_up;
  std::shared_future<void> end = given_up.get_future().share();
  LoopbackServer server([end](LoopbackConnection& connection) {
    (void)connection.ReadRequest();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n");
    while (end.wait_for(std::chrono::milliseconds(1500)) == std::future_status::timeout) {
      connection.Write("x");
    }
  });
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Request("GET", server);
  request.stall_timeout = absl::Seconds(2);
  const absl::Status status = Failure(transport, request, server);
  given_up.set_value();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr(" moved for 2s"));
}

TEST(CurlTransportFault, TimeoutLimitsWholeExchange) {
  LoopbackServer server(StallAfter(kStalledAnswers[1]));
  HttpRequest request = Request("POST", server);
  request.timeout = absl::Milliseconds(50);
  const absl::Status status = FailureOnceSent(request, server);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  ExpectTransient(status, /*maybe_applied=*/true);
}

TEST(CurlTransportFault, ProgressCallbackRunsDuringStall) {
  LoopbackServer server(StallAfter(""));
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Request("POST", server);
  request.on_progress = [] { return absl::AbortedError("enough"); };
  EXPECT_EQ(transport.Send(request).status(), absl::AbortedError("enough"));
}

}  // namespace
}  // namespace sparkles
