#include "monitor/auth.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sparkles {
namespace {

TEST(IsSameSecretTest, OnlyTheVeryTextIsTheSecret) {
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
    grpc::AuthMetadataProcessor::InputMetadata input;
    for (const auto& [key, value] : metadata) input.emplace(key, value);
    consumed_.clear();
    grpc::AuthMetadataProcessor::OutputMetadata response;
    return check_.Process(input, nullptr, &consumed_, &response);
  }

  SecretCheck check_{"secret"};
  grpc::AuthMetadataProcessor::OutputMetadata consumed_;
};

TEST_F(SecretCheckTest, TheSecretOpensAndGoesNoFurther) {
  EXPECT_TRUE(Check({{"user-agent", "x"}, {"shared-secret", "secret"}}).ok());
  EXPECT_EQ(consumed_.count("shared-secret"), 1U);
}

TEST_F(SecretCheckTest, NothingElseOpens) {
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
