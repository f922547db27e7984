#include "monitor/auth.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sparkles {
namespace {

TEST(IsSameSecretTest, OnlyExactSecretMatches) {
  EXPECT_TRUE(IsSameSecret("secret", "secret"));
  for (const std::string offered : {"", "Secret", "secre", "secrets", " secret"}) {
    EXPECT_FALSE(IsSameSecret("secret", offered)) << offered;
  }
  EXPECT_FALSE(IsSameSecret("secret", std::string("secret\0", 7)));
}

class SecretCheckTest : public testing::Test {
 protected:
  using Metadata = std::vector<std::pair<std::string, std::string>>;

  grpc::Status Check(const Metadata& metadata) {
    SecretCheck::Metadata input;
    for (const auto& [key, value] : metadata) input.emplace(key, value);
    return check_.Check(input);
  }

  const SecretCheck check_{"secret"};
};

TEST_F(SecretCheckTest, CorrectSecretIsAccepted) {
  EXPECT_TRUE(Check({{"user-agent", "x"}, {"shared-secret", "secret"}}).ok());
}

TEST_F(SecretCheckTest, WrongOrRepeatedSecretIsRefused) {
  for (const Metadata& metadata :
       std::vector<Metadata>{{},
                             {{"shared-secret", ""}},
                             {{"shared-secret", "wrong"}},
                             {{"secret", "secret"}},
                             {{"shared-secret", "secret"}, {"shared-secret", "wrong"}}}) {
    EXPECT_EQ(Check(metadata).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
}

}  // namespace
}  // namespace sparkles
