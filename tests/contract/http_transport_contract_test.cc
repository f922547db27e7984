// Tests of the contract of HttpTransport, on libcurl and on the scripted transport.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "http/curl_transport.h"
#include "tests/support/loopback_server.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

// A transport and a server that answers its requests.
class Rig {
 public:
  virtual ~Rig() = default;
  virtual HttpTransport& transport() = 0;
  virtual std::string url() const = 0;
  // Sets the answer to the next request.
  virtual void Answer(int status, const std::string& body) = 0;
  // The body of the last complete request, or "".
  virtual std::string LastBody() const = 0;
};

class CurlRig : public Rig {
 public:
  HttpTransport& transport() override { return transport_; }
  std::string url() const override { return server_.url() + "/path"; }
  void Answer(int status, const std::string& body) override {
    MutexLock lock(mutex_);
    answers_.emplace_back(status, body);
  }
  std::string LastBody() const override {
    if (server_.requests().empty()) return "";
    const std::string request = server_.requests().back();
    return request.substr(request.find("\r\n\r\n") + 4);
  }

 private:
  void Serve(LoopbackConnection& connection) {
    while (connection.ReadRequest()) {
      std::pair<int, std::string> answer;
      {
        MutexLock lock(mutex_);
        answer = answers_.front();
        answers_.pop_front();
      }
      connection.Answer(answer.first, answer.second);
    }
  }

  Mutex mutex_;
  std::deque<std::pair<int, std::string>> answers_ ABSL_GUARDED_BY(mutex_);
  LoopbackServer server_{[this](LoopbackConnection& connection) { Serve(connection); }};
  CurlTransport transport_{CaRoots{}};
};

class ScriptedRig : public Rig {
 public:
  HttpTransport& transport() override { return transport_; }
  std::string url() const override { return "http://host/path"; }
  void Answer(int status, const std::string& body) override {
    transport_.Answer("http://host/path", MakeResponse(status, body));
  }
  std::string LastBody() const override {
    return transport_.requests().empty() ? "" : transport_.requests().back().body;
  }

 private:
  ScriptedTransport transport_;
};

class HttpTransportContract : public testing::TestWithParam<bool> {
 protected:
  HttpTransportContract() {
    if (GetParam()) rig_ = std::make_unique<CurlRig>();
    if (!GetParam()) rig_ = std::make_unique<ScriptedRig>();
    request_.url = rig_->url();
    request_.method = "POST";
  }
  absl::StatusOr<HttpResponse> Send() { return rig_->transport().Send(request_); }

  std::unique_ptr<Rig> rig_;
  HttpRequest request_;
};

const std::string& LongBody() {
  static const std::string body(300'000, 'x');
  return body;
}

TEST_P(HttpTransportContract, AnyStatusIsReturned) {
  for (const int status : {200, 204, 308, 404, 500}) {
    const std::string body = status == 204 ? "" : "text";
    rig_->Answer(status, body);
    const auto response = Send();
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, status);
    EXPECT_EQ(response->body, body);
  }
}

TEST_P(HttpTransportContract, SinkReceivesOnlySuccessfulBodies) {
  std::string sunk;
  request_.max_body_bytes = 10;  // limits only `body`
  request_.on_body = [&](const HttpResponse& response, absl::string_view piece) {
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "");
    sunk.append(piece.data(), piece.size());
    return absl::OkStatus();
  };
  rig_->Answer(200, LongBody());
  EXPECT_EQ(Send()->body, "");
  EXPECT_TRUE(sunk == LongBody());
  rig_->Answer(404, "no object");
  EXPECT_EQ(Send()->body, "no object");
}

TEST_P(HttpTransportContract, SourceBodyArrivesWhole) {
  size_t at = 0;
  request_.body_bytes = LongBody().size();
  request_.body_source = [&](char* buffer, size_t capacity) -> absl::StatusOr<size_t> {
    const size_t count = LongBody().copy(buffer, std::min<size_t>(capacity, 777), at);
    at += count;
    return count;
  };
  rig_->Answer(200, "");
  ASSERT_TRUE(Send().ok());
  EXPECT_TRUE(rig_->LastBody() == LongBody());
}

TEST_P(HttpTransportContract, SinkErrorIsReturnedUnchanged) {
  request_.on_body = [](const HttpResponse&, absl::string_view) {
    return absl::DataLossError("disk: gone");
  };
  rig_->Answer(200, "text");
  EXPECT_EQ(Send().status(), absl::DataLossError("disk: gone"));
}

TEST_P(HttpTransportContract, OverlongBodyIsRefused) {
  request_.max_body_bytes = 3;
  rig_->Answer(200, "text");
  EXPECT_EQ(Send().status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(HttpTransportContract, SourceErrorIsReturnedUnchanged) {
  request_.body_bytes = 10;
  request_.body_source = [](char*, size_t) { return absl::DataLossError("disk: gone"); };
  rig_->Answer(200, "");
  EXPECT_EQ(Send().status(), absl::DataLossError("disk: gone"));
}

TEST_P(HttpTransportContract, ShortSourceAbortsRequest) {
  request_.body_bytes = 10;
  request_.body_source = [](char*, size_t) { return 0; };
  rig_->Answer(200, "");
  EXPECT_EQ(Send().status().code(), absl::StatusCode::kAborted);
}

TEST_P(HttpTransportContract, NothingIsSentAfterCancel) {
  CancelToken cancel;
  cancel.Cancel(CancelKind::kKilled, "job was killed");
  request_.cancel = &cancel;
  request_.body = "body";
  const absl::Status status = Send().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(absl::EndsWith(status.message(), "job was killed")) << status;
  EXPECT_EQ(rig_->LastBody(), "");
}

INSTANTIATE_TEST_SUITE_P(Transports, HttpTransportContract, testing::Bool(),
                         [](const auto& real) { return real.param ? "curl" : "scripted"; });

}  // namespace
}  // namespace sparkles
