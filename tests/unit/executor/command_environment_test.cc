#include "executor/command_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparkles {
namespace {

using testing::ElementsAre;

TEST(CommandEnvironmentTest, WhatOpensDoorsIsSecret) {
  for (const char* name : {"GOOGLE_APPLICATION_CREDENTIALS",
                           "CLOUDSDK_CONFIG",
                           "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
                           "GITHUB_TOKEN",
                           "TOKEN",
                           "Hf_Token",
                           "AWS_SECRET_ACCESS_KEY",
                           "AWS_ACCESS_KEY_ID",
                           "AWS_SESSION_TOKEN",
                           "DB_PASSWORD",
                           "OPENAI_API_KEY",
                           "CLIENT_SECRET",
                           "BOTO_CONFIG",
                           "AWS_WEB_IDENTITY_TOKEN_FILE",
                           "VAULT_TOKEN_FILE",
                           "IBM_CREDENTIALS_FILE",
                           "PGPASSWORD",
                           "MYSQL_PWD",
                           "SSH_PASSPHRASE",
                           "GPGPASSPHRASE"}) {
    EXPECT_TRUE(IsSecretVariable(name)) << name;
  }
}

TEST(CommandEnvironmentTest, WhatTasksNeedIsNot) {
  for (const char* name :
       {"PATH", "HOME", "BATCH_TASK_INDEX", "BATCH_JOB_UID", "GOOGLE_CLOUD_PROJECT", "HTTPS_PROXY",
        "CUDA_VISIBLE_DEVICES", "TOKENIZERS_PARALLELISM", "SPARKLES_TASK_ID", "BROKEN", "KEY",
        "MONKEY", "MYTOKEN", "PWD", "OLDPWD", "TOKEN_FILES", ""}) {
    EXPECT_FALSE(IsSecretVariable(name)) << name;
  }
}

TEST(CommandEnvironmentTest, SecretsAreWithheldUnlessTheyAreNamed) {  // D38
  const CommandEnvironment environment = MakeCommandEnvironment(
      {"PATH=/bin", "HF_TOKEN=a", "B_TOKEN=b=c", "GOOGLE_APPLICATION_CREDENTIALS=/key.json", "ODD"},
      {"HF_TOKEN", "NOT_SET"});
  EXPECT_THAT(environment.variables, ElementsAre("PATH=/bin", "HF_TOKEN=a", "ODD"));
  EXPECT_THAT(environment.withheld, ElementsAre("B_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS"));
}

}  // namespace
}  // namespace sparkles
