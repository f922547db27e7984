#include "monitor/request_head.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

TEST(RequestHeadTest, GetAndHeadAreAccepted) {
  const RequestHead get = ParseRequestHead(
      "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:9090\r\nAccept: text/plain\r\n\r\n");
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(get.path, "/metrics");
  EXPECT_FALSE(get.head_only);
  EXPECT_EQ(ParseRequestHead("GET /healthz HTTP/1.0\r\n\r\n").path, "/healthz");
  EXPECT_TRUE(ParseRequestHead("HEAD / HTTP/1.1\r\n\r\n").head_only);
}

TEST(RequestHeadTest, IncompleteHeadIsAwaited) {
  const std::string whole = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(ParseRequestHead(whole.substr(0, length)).status, 0) << length;
  }
}

TEST(RequestHeadTest, InvalidRequestIsRefused) {
  EXPECT_EQ(ParseRequestHead("POST /metrics HTTP/1.1\r\n\r\n").status, 405);
  EXPECT_EQ(ParseRequestHead("PRI * HTTP/2.0\r\n\r\n").status, 505);
  EXPECT_EQ(ParseRequestHead(absl::string_view("\x16\x03\x01\x02", 4)).status, 400)
      << "a TLS greeting is refused at once";
  for (const char* line : {"GET", "GET /", "GET / HTTP/1.1 x", "GET  / HTTP/1.1", "GET x HTTP/1.1",
                           "GET http://x/ HTTP/1.1", "GET /\t HTTP/1.1", "GET / HTTQ/1.1",
                           "GET /\x80 HTTP/1.1", "\r\n"}) {
    EXPECT_EQ(ParseRequestHead(absl::StrCat(line, "\r\n\r\n")).status, 400) << line;
  }
}

TEST(RequestHeadTest, OverlongHeadIsRefused) {
  const std::string start = "GET / HTTP/1.1\r\nX: ";
  EXPECT_EQ(ParseRequestHead(start + std::string(kMaxRequestHead, 'x')).status, 431);
  EXPECT_EQ(ParseRequestHead(start + std::string(kMaxRequestHead, 'x') + "\r\n\r\n").status, 431);
  EXPECT_EQ(ParseRequestHead(start + std::string(kMaxRequestHead / 2, 'x')).status, 0);
}

}  // namespace
}  // namespace sparkles
