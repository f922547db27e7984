#include "monitor/key_pair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/test_certificate.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

class KeyPairTest : public testing::Test {
 protected:
  std::string Problem(const std::string& certificate, const std::string& key) {
    return std::string(CheckKeyPair(certificate, key).message());
  }

  const TestCertificate certificate_{"sparkles.server"};
};

TEST_F(KeyPairTest, MatchingPairIsAccepted) {
  EXPECT_EQ(Problem(certificate_.Pem(), certificate_.KeyPem()), "");
  // A chain of certificates, and the text that `openssl x509 -text` prints before a certificate.
  EXPECT_EQ(Problem("text\n" + certificate_.Pem() + certificate_.Pem(), certificate_.KeyPem()), "");
}

TEST_F(KeyPairTest, DatesOfCertificateAreRead) {
  const auto dates = ReadCertificateDates(certificate_.Pem());
  ASSERT_TRUE(dates.ok());
  EXPECT_LT(dates->begin, absl::Now());
  EXPECT_GT(dates->end, absl::Now());
  EXPECT_EQ(dates->end - dates->begin, absl::Hours(2));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadCertificateDates("rubbish").status()));
}

TEST_F(KeyPairTest, ErrorNamesCertificateOrKey) {
  for (const std::string& rubbish :
       {std::string(), std::string("rubbish\0\xFF", 9), certificate_.Pem().substr(0, 100)}) {
    EXPECT_THAT(Problem(rubbish, certificate_.KeyPem()), HasSubstr("certificate is not in PEM"));
    EXPECT_THAT(Problem(certificate_.Pem(), rubbish), HasSubstr("private key is not in PEM"));
  }
  EXPECT_THAT(Problem(certificate_.KeyPem(), certificate_.Pem()),
              HasSubstr("certificate is not in PEM"));
  EXPECT_THAT(Problem(certificate_.Pem(), TestCertificate("sparkles.server").KeyPem()),
              HasSubstr("does not belong to the certificate"));
}

}  // namespace
}  // namespace sparkles
