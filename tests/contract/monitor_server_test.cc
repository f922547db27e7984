// Tests the Monitor's server and client with TLS on the loopback.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "monitor/client.h"
#include "monitor/server.h"
#include "tests/support/sanitizers.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_certificate.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::Not;

const TestCertificate& Certificate() {
  static const TestCertificate certificate("sparkles.server");
  return certificate;
}

MonitorKeys Keys() { return {Certificate().Pem(), Certificate().KeyPem(), "secret"}; }

class MonitorServerTest : public testing::Test {
 protected:
  // Debian builds gRPC without ThreadSanitizer, so almost every call gives a false report.
  void SetUp() override {
    if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer does not know gRPC as Debian builds it";
  }

  void Start(ListenerLimits limits = {}) {
    MonitorOptions options;
    options.limits = limits;
    auto server = MonitorServer::Start(Keys(), options, outputs_, clock_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  MonitorClient Client(const std::string& secret = "secret") const {
    return MonitorClient(absl::StrCat("localhost:", server_->port()), Certificate().Pem(), secret);
  }

  // The log of a running task; write to it with WriteAll.
  UniqueFd StartTask(const std::string& id) {
    UniqueFd log = OpenFile(directory_ / id, O_CREAT | O_WRONLY | O_APPEND).value();
    EXPECT_TRUE(outputs_.Add(id, directory_ / id).ok());
    return log;
  }

  UniqueFd Connect() const {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  // Waits until the other side closes the connection.
  static bool IsClosed(int fd) {
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
  }

  TempDirectory directory_;
  SystemClock clock_;
  OutputTable outputs_{clock_};
  std::unique_ptr<MonitorServer> server_;
};

TEST_F(MonitorServerTest, LogIsReadToItsEnd) {
  Start();
  MonitorClient client = Client();
  const UniqueFd log = StartTask("job.1");
  const auto none = client.ReadOutput("job.1", 0, 100);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->at_end && none->data.empty() && !none->complete);
  ASSERT_TRUE(WriteAll(log.get(), "hello\n\xE6\xBC", "log").ok());
  EXPECT_EQ(client.ReadOutput("job.1", 0, 4)->data, "hell");
  const auto some = client.ReadOutput("job.1", 4, 100);
  EXPECT_EQ(some->data, "o\n");
  EXPECT_EQ(some->new_offset, 6);
  outputs_.End("job.1");
  const auto last = client.ReadOutput("job.1", 6, 100);
  EXPECT_EQ(last->data, "??");  // the log ends within a character
  EXPECT_TRUE(last->complete);
}

TEST_F(MonitorServerTest, TruncatedLogIsReported) {
  Start();
  const UniqueFd log = StartTask("job.1");
  const auto piece = Client().ReadOutput("job.1", 7, 100);
  ASSERT_TRUE(piece.ok()) << piece.status();
  EXPECT_TRUE(piece->was_cut);
  EXPECT_EQ(piece->new_offset, 0);
}

TEST_F(MonitorServerTest, WrongSecretIsUnauthenticated) {  // D02
  Start();
  const UniqueFd log = StartTask("job.1");
  for (const std::string secret : {"", "Secret", "secre", "secrets", "x"}) {
    MonitorClient stranger = Client(secret);
    EXPECT_TRUE(absl::IsUnauthenticated(stranger.ReadOutput("job.1", 0, 1).status())) << secret;
    EXPECT_TRUE(absl::IsUnauthenticated(stranger.GetProcessStatus().status())) << secret;
  }
  EXPECT_TRUE(Client().ReadOutput("job.1", 0, 1).ok());
}

TEST_F(MonitorServerTest, InvalidRequestsAreRefused) {  // D56, D57
  Start();
  MonitorClient client = Client();
  const UniqueFd log = StartTask("job.1");
  EXPECT_TRUE(absl::IsInvalidArgument(client.ReadOutput("job.1", 0, 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(client.ReadOutput("job.1", 0, -5).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(client.ReadOutput("job.1", -1, 5).status()));
  const absl::Status unknown = client.ReadOutput("job.2", 0, 5).status();
  EXPECT_TRUE(absl::IsNotFound(unknown));
  EXPECT_THAT(std::string(unknown.message()), Not(HasSubstr("job.1")));
}

TEST_F(MonitorServerTest, ProcessStatusIsReturned) {
  Start();
  const auto status = Client().GetProcessStatus();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_GT(status->process_count, 0);
  EXPECT_GT(status->mem_total, 0);
}

TEST_F(MonitorServerTest, ClientRefusesOtherCertificate) {
  Start();
  const TestCertificate other("sparkles.server");
  MonitorClient client(absl::StrCat("localhost:", server_->port()), other.Pem(), "secret");
  EXPECT_TRUE(absl::IsUnavailable(client.GetProcessStatus().status()));
}

TEST_F(MonitorServerTest, ConcurrentReadsSurviveTaskChanges) {
  Start();
  const UniqueFd log = StartTask("job.0");
  ASSERT_TRUE(WriteAll(log.get(), std::string(300'000, 'x'), "log").ok());
  std::vector<std::thread> readers;
  std::atomic<int> right = 0;
  for (int reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&] {
      MonitorClient client = Client();
      for (int i = 0; i < 50; ++i) {
        const auto piece = client.ReadOutput("job.0", 1000 * i, 100'000);
        right += piece.ok() && piece->data.size() == 100'000;
        (void)client.GetProcessStatus();
      }
    });
  }
  for (int task = 1; task < 40; ++task) {
    const UniqueFd other = StartTask(absl::StrCat("job.", task));
    outputs_.End(absl::StrCat("job.", task));
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(right, 200);
}

TEST_F(MonitorServerTest, ExcessConnectionsAreClosed) {
  Start({.connections = 5, .burst = 100, .per_second = 100});
  MonitorClient client = Client();
  ASSERT_TRUE(client.GetProcessStatus().ok());
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 4; ++i) idle.push_back(Connect());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(IsClosed(Connect().get()));
  EXPECT_TRUE(client.GetProcessStatus().ok());
  idle.clear();
  // gRPC accepts new connections after it has noticed the end of the old ones.
  absl::Status another = absl::UnavailableError("");
  for (int i = 0; i < 1000 && !another.ok(); ++i) another = Client().GetProcessStatus().status();
  EXPECT_TRUE(another.ok()) << another;
}

TEST_F(MonitorServerTest, ConnectionBurstIsServedInTurn) {
  Start({.connections = 100, .burst = 2, .per_second = 1000});
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 20; ++i) idle.push_back(Connect());
  EXPECT_TRUE(Client().GetProcessStatus().ok());
}

TEST_F(MonitorServerTest, ConnectionsWithoutTlsAreClosed) {
  Start();
  const UniqueFd stranger = Connect();
  ASSERT_TRUE(WriteAll(stranger.get(), "GET / HTTP/1.1\r\n\r\n", "socket").ok());
  EXPECT_TRUE(IsClosed(stranger.get()));
  EXPECT_TRUE(Client().GetProcessStatus().ok());
}

TEST_F(MonitorServerTest, BusyPortIsError) {  // D61
  Start();
  MonitorOptions options;
  options.port = server_->port();
  const auto second = MonitorServer::Start(Keys(), options, outputs_, clock_);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
  EXPECT_TRUE(Client().GetProcessStatus().ok());
}

TEST_F(MonitorServerTest, PortIsFreeAfterServerEnds) {
  absl::Status second = absl::UnknownError("");
  for (int i = 0; i < 3 && !second.ok(); ++i) {  // another process may take the port meanwhile
    Start();
    ASSERT_TRUE(Client().GetProcessStatus().ok());
    MonitorOptions options;
    options.port = server_->port();
    server_.reset();
    second = MonitorServer::Start(Keys(), options, outputs_, clock_).status();
  }
  EXPECT_TRUE(second.ok()) << second;
}

TEST_F(MonitorServerTest, InvalidKeysAreRefused) {
  const TestCertificate other("sparkles.server");
  for (const MonitorKeys& keys : {MonitorKeys{},
                                  {"", "", "secret"},
                                  {Keys().certificate, "", "secret"},
                                  {"", Keys().private_key, "secret"},
                                  {"rubbish", "rubbish", "secret"},
                                  {Keys().certificate, "rubbish", "secret"},
                                  {Keys().certificate, other.KeyPem(), "secret"},
                                  {Keys().certificate, Keys().private_key, ""}}) {
    const auto server = MonitorServer::Start(keys, {}, outputs_, clock_);
    EXPECT_FALSE(server.ok());
    EXPECT_THAT(std::string(server.status().message()), Not(HasSubstr("PRIVATE")));
  }
}

TEST_F(MonitorServerTest, ServerEndsDespiteOpenConnections) {
  Start();
  MonitorClient client = Client();
  ASSERT_TRUE(client.GetProcessStatus().ok());
  const UniqueFd half_open = Connect();
  server_.reset();  // would hang
  EXPECT_FALSE(client.GetProcessStatus().ok());
}

}  // namespace
}  // namespace sparkles
