// Tests the libcurl transport against a real server: connections, framing and limits.
#include "http/curl_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "http/transient.h"
#include "tests/support/loopback_server.h"

namespace sparkles {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

HttpRequest Get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

HttpRequest Post(const std::string& url, std::string body) {
  HttpRequest request = Get(url);
  request.method = "POST";
  request.body = std::move(body);
  return request;
}

BodySource SourceOf(std::string bytes, size_t at_most = 1000) {
  return [bytes = std::move(bytes), at = size_t{0}, at_most](
             char* buffer, size_t capacity) mutable -> absl::StatusOr<size_t> {
    const size_t count = bytes.copy(buffer, std::min(capacity, at_most), at);
    at += count;
    return count;
  };
}

TEST(CurlTransport, OverlongBodyIsRefused) {
  LoopbackServer server(AlwaysAnswer("12345678901"));
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Get(server.url());
  request.max_body_bytes = 11;
  EXPECT_TRUE(transport.Send(request).ok());
  request.max_body_bytes = 10;
  const absl::Status status = transport.Send(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(IsTransient(status));
  EXPECT_TRUE(MaybeApplied(status));
}

TEST(CurlTransport, OneConnectionServesManyRequests) {
  LoopbackServer server(AlwaysAnswer("hello"));
  CurlTransport transport{CaRoots{}};
  for (int i = 0; i < 5; ++i) {
    const auto response =
        transport.Send(i % 2 == 0 ? Get(server.url() + "/a") : Post(server.url() + "/a", "x"));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "hello");
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_THAT(server.requests(), SizeIs(5));
}

TEST(CurlTransport, OriginsKeepTheirConnections) {
  LoopbackServer one(AlwaysAnswer("1"));
  LoopbackServer two(AlwaysAnswer("2"));
  CurlTransport transport{CaRoots{}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(transport.Send(Get(one.url()))->body, "1");
    EXPECT_EQ(transport.Send(Get(two.url()))->body, "2");
  }
  EXPECT_EQ(one.connections(), 1);
  EXPECT_EQ(two.connections(), 1);
}

TEST(CurlTransport, RequestIsSentUnchanged) {
  LoopbackServer server(AlwaysAnswer(""));
  CurlTransport transport{CaRoots{}};
  HttpRequest request =
      Post(server.url() + "/a/../b//%2F%23?q=%2B&r=..", std::string(3 << 20, 'b'));
  request.headers.Add("X-Two", "words here");
  request.headers.Add("X-Empty", "");
  request.headers.Add("Content-Length", "7");  // the transport replaces this header
  ASSERT_TRUE(transport.Send(request).ok());
  const std::string sent = server.requests().at(0);
  EXPECT_THAT(sent, StartsWith("POST /a/../b//%2F%23?q=%2B&r=.. HTTP/1.1\r\n"));
  EXPECT_THAT(sent, HasSubstr("\r\nX-Two: words here\r\n"));
  EXPECT_THAT(sent, HasSubstr("\r\nX-Empty:\r\n"));
  EXPECT_THAT(sent, HasSubstr("\r\nContent-Length: 3145728\r\n"));
  const std::string head = sent.substr(0, sent.find("\r\n\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Content-Type")));
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
  EXPECT_THAT(head, Not(HasSubstr("Accept-Encoding")));
}

TEST(CurlTransport, MethodsKeepNameAndBody) {
  LoopbackServer server(AlwaysAnswer(""));
  CurlTransport transport{CaRoots{}};
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    HttpRequest request = Get(server.url());
    request.method = method;
    ASSERT_TRUE(transport.Send(request).ok()) << method;
    EXPECT_THAT(server.requests().back(), StartsWith(absl::StrCat(method, " / HTTP/1.1\r\n")));
    EXPECT_THAT(server.requests().back(), HasSubstr("\r\nContent-Length: 0\r\n"));
    request.body_source = SourceOf("streamed");
    request.body_bytes = 8;
    ASSERT_TRUE(transport.Send(request).ok()) << method;
    EXPECT_THAT(server.requests().back(), ::testing::EndsWith("\r\n\r\nstreamed"));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlTransport, HeadReturnsHeadersWithoutBody) {
  LoopbackServer server([](LoopbackConnection& connection) {
    while (connection.ReadRequest())
      connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  });
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Get(server.url());
  request.method = "HEAD";
  for (int i = 0; i < 2; ++i) {
    const auto response = transport.Send(request);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(*response->headers.Find("content-length"), "9");
    EXPECT_EQ(response->body, "");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlTransport, RedirectsAreNotFollowed) {
  LoopbackServer server([](LoopbackConnection& connection) {
    while (connection.ReadRequest()) {
      connection.Answer(308, "", "Location: /elsewhere\r\nRange: bytes=0-4\r\n");
    }
  });
  CurlTransport transport{CaRoots{}};
  const auto response = transport.Send(Post(server.url(), "x"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 308);
  EXPECT_EQ(*response->headers.Find("range"), "bytes=0-4");
  EXPECT_THAT(server.requests(), SizeIs(1));
}

TEST(CurlTransport, OnlyFinalHeadersAreKept) {
  LoopbackServer server([](LoopbackConnection& connection) {
    while (connection.ReadRequest()) {
      connection.Write("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
      connection.Write(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Hash: a\r\nX-Hash: b\r\n");
      connection.Write("\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n");
    }
  });
  CurlTransport transport{CaRoots{}};
  for (int i = 0; i < 2; ++i) {
    const auto response = transport.Send(Get(server.url()));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "hello world");
    EXPECT_THAT(response->headers.All("x-hash"), ElementsAre("a", "b"));
    EXPECT_EQ(response->headers.Find("X-Early"), nullptr);
    EXPECT_EQ(response->headers.Find("X-Trailer"), nullptr);
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlTransport, MalformedHeadersAreDropped) {
  LoopbackServer server([](LoopbackConnection& connection) {
    (void)connection.ReadRequest();
    connection.Write(
        "HTTP/1.1 200 OK\r\nX-Go\x01od: 1\r\nX-\xFE: 2\r\nX Y: 3\r\nX-~: 4\r\nX-Empty: \n"
        "X-Folded: a\r\n b\r\n");
    connection.Write("Content-Length: 0\r\n\r\n");
  });
  CurlTransport transport{CaRoots{}};
  const auto response = transport.Send(Get(server.url()));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->headers.entries(),
              ElementsAre(Pair("X-~", "4"), Pair("X-Empty", ""), Pair("X-Folded", "a b"),
                          Pair("Content-Length", "0")));
}

// The bytes of `printf hello | gzip -n`.
constexpr char kGzippedHello[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00"
    "\x00\x00";

TEST(CurlTransport, DecompressionNeedsExplicitRequest) {
  const std::string gzipped(kGzippedHello, sizeof kGzippedHello - 1);
  LoopbackServer server([&](LoopbackConnection& connection) {
    while (connection.ReadRequest()) connection.Answer(200, gzipped, "Content-Encoding: gzip\r\n");
  });
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Get(server.url());
  EXPECT_EQ(transport.Send(request)->body, gzipped);
  request.headers.Add("Accept-Encoding", "gzip");  // as for media
  EXPECT_EQ(transport.Send(request)->body, gzipped);
  request = Get(server.url());
  request.accept_compressed = true;
  EXPECT_EQ(transport.Send(request)->body, "hello");
  EXPECT_THAT(server.requests().at(0), Not(HasSubstr("Accept-Encoding")));
  EXPECT_THAT(server.requests().at(1), HasSubstr("\r\nAccept-Encoding: gzip\r\n"));
  EXPECT_THAT(server.requests().at(2), HasSubstr("\r\nAccept-Encoding: gzip\r\n"));
}

TEST(CurlTransport, LongBodiesArriveWhole) {
  const std::string body(9 << 20, 'z');
  LoopbackServer server(AlwaysAnswer(body));
  CurlTransport transport{CaRoots{}};
  HttpRequest request = Post(server.url(), "");
  request.body_source = SourceOf(body, 100'000);
  request.body_bytes = body.size();
  size_t received = 0;
  request.on_body = [&](const HttpResponse& response, absl::string_view piece) {
    EXPECT_EQ(response.status, 200);
    EXPECT_NE(response.headers.Find("Content-Length"), nullptr);
    EXPECT_EQ(response.body, "");
    received += piece.size();
    return absl::OkStatus();
  };
  const auto response = transport.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(received, body.size());
  EXPECT_EQ(response->body, "");
  EXPECT_TRUE(absl::EndsWith(server.requests().at(0), body));
}

TEST(CurlTransport, ThreadsShareTransport) {
  LoopbackServer server(AlwaysAnswer("hello"));
  CurlTransport transport{CaRoots{}};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) EXPECT_EQ(transport.Send(Get(server.url()))->body, "hello");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(server.connections(), 8);
  EXPECT_THAT(server.requests(), SizeIs(160));
}

TEST(CurlTransport, InjectedLineEndsAreRefused) {
  LoopbackServer server(AlwaysAnswer(""));
  CurlTransport transport{CaRoots{}};
  std::vector<HttpRequest> requests(7, Get(server.url()));
  requests[0].headers.Add("X-A", "1\r\nX-B: 2");
  requests[1].headers.Add("X-A", std::string("1\0", 2));
  requests[2].headers.Add("X-A: 1\r\nX-B", "2");
  requests[3].method = "GET / HTTP/1.1\r\nX-B: 2\r\n\r\nGET";
  requests[4].url += "/a\r\nX-B: 2";
  requests[5].url += "/a b";
  requests[6].body = "a GET with a body";
  for (const HttpRequest& request : requests) {
    const absl::Status status = transport.Send(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(IsMachineFault(status));
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(CurlTransport, OnlyHttpUrlsAreAccepted) {
  CurlTransport transport{CaRoots{}};
  for (const char* url :
       {"", "file:///etc/passwd", "ftp://h/", "h/path", "http://", "http://user:secret@h/",
        "http://h/a#secret", "http://h:99999/", "gs://secret/secret", "http://h/\xc3\xa9"}) {
    const absl::Status status = transport.Send(Get(url)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url << status;
    EXPECT_TRUE(IsMachineFault(status) && !IsTransient(status));
    EXPECT_THAT(status.message(), Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace sparkles
