#include "doctor/monitor_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "monitor/listener.h"
#include "tests/support/finding_text.h"
#include "tests/support/test_certificate.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class MonitorChecksTest : public testing::Test {
 protected:
  std::string Keys(const absl::StatusOr<MonitorKeys>& keys, absl::Duration later) {
    return FindingText([&](Findings& findings) {
      CheckClusterKeys([&] { return keys; }, absl::Now() + later, findings);
    });
  }

  std::string Port(int port, const std::string& address) {
    return FindingText([&](Findings& findings) {
      CheckMonitorPort(port, [&] { return address; }, cancel_, findings);
    });
  }

  CancelToken cancel_;
  const TestCertificate certificate_{"sparkles.server"};  // valid for an hour
  const MonitorKeys keys_ = {certificate_.Pem(), certificate_.KeyPem(), "the secret"};
};

TEST_F(MonitorChecksTest, DatesOfCertificateAreChecked) {
  EXPECT_THAT(Keys(keys_, absl::ZeroDuration()),
              StartsWith("WARN  Monitor keys: certificate and key match; valid until 20"));
  EXPECT_THAT(Keys(keys_, absl::Hours(2)),
              AllOf(StartsWith("FAIL  Monitor keys: the certificate has expired on 20"),
                    HasSubstr("which makes new keys")));
  EXPECT_THAT(Keys(keys_, -absl::Hours(2)),
              AllOf(StartsWith("FAIL  Monitor keys: the certificate is not valid before 20"),
                    HasSubstr("check the clock")));
}

TEST_F(MonitorChecksTest, UnusableKeysFailWithoutSecret) {
  MonitorKeys other = keys_;
  other.private_key = TestCertificate("sparkles.server").KeyPem();
  EXPECT_THAT(Keys(other, absl::ZeroDuration()),
              AllOf(StartsWith("FAIL"), HasSubstr("does not belong"), Not(HasSubstr("secret"))));
  EXPECT_THAT(Keys(absl::NotFoundError("no entity"), absl::ZeroDuration()),
              AllOf(StartsWith("FAIL"), HasSubstr("submit a job with sparkles")));
  EXPECT_THAT(Keys(absl::FailedPreconditionError("cert: is missing"), absl::ZeroDuration()),
              HasSubstr("makes new keys"));
  EXPECT_THAT(Keys(absl::UnavailableError("no answer"), absl::ZeroDuration()),
              HasSubstr("see the finding about Datastore"));
}

TEST_F(MonitorChecksTest, UsedPortFails) {
  const auto listener = ListenOn(0);
  ASSERT_TRUE(listener.ok());
  const int port = PortOf(listener->get());
  EXPECT_THAT(Port(port, ""), AllOf(StartsWith(absl::StrCat("FAIL  --port ", port)),
                                    HasSubstr("set another --port")));
  EXPECT_THAT(
      FindingText([&](Findings& findings) { CheckHealthPort("127.0.0.1", port, findings); }),
      AllOf(StartsWith("FAIL  --healthPort"), HasSubstr("set another --healthPort")));
}

TEST_F(MonitorChecksTest, WrongHealthAddressFails) {
  // RFC 5737 reserves the second address for documentation.
  for (const char* const address : {"nonsense", "192.0.2.1"}) {
    EXPECT_THAT(FindingText([&](Findings& findings) { CheckHealthPort(address, 8080, findings); }),
                AllOf(StartsWith("FAIL  --healthPort 8080: "), HasSubstr("set --healthAddress")));
  }
}

TEST_F(MonitorChecksTest, FreePortIsConnectedFromOutside) {
  int port = 0;
  {
    const auto listener = ListenOn(0);
    ASSERT_TRUE(listener.ok());
    port = PortOf(listener->get());
  }
  EXPECT_THAT(Port(port, "127.0.0.1"),
              AllOf(StartsWith("OK"), HasSubstr("a connection to 127.0.0.1 arrives")));
  EXPECT_THAT(Port(port, ""), HasSubstr("SKIP"));
  EXPECT_THAT(Port(port, "not an address"),
              HasSubstr(absl::StrCat("proves nothing; the firewall must allow tcp:", port)));
  EXPECT_THAT(
      FindingText([&](Findings& findings) { CheckHealthPort("127.0.0.1", port, findings); }),
      StartsWith("OK"));
}

}  // namespace
}  // namespace sparkles
