#include "http/ca_roots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;

CaRoots Find(const std::map<std::string, std::string>& variables,
             const std::vector<std::string>& system_files = {}) {
  return FindCaRoots(
      [&](const std::string& name) {
        const auto found = variables.find(name);
        return found == variables.end() ? "" : found->second;
      },
      system_files);
}

TEST(CaRoots, EnvironmentPrecedesSystemFiles) {
  const CaRoots both = Find({{"SSL_CERT_FILE", "/a"}, {"CURL_CA_BUNDLE", "/b"}}, {"/dev/null"});
  EXPECT_EQ(both.file, "/a");
  EXPECT_EQ(both.directory, "");
  EXPECT_EQ(both.origin, "SSL_CERT_FILE (/a)");
  EXPECT_EQ(Find({{"CURL_CA_BUNDLE", "/b"}}, {"/dev/null"}).file, "/b");
  const CaRoots directory = Find({{"CURL_CA_BUNDLE", "/b"}, {"SSL_CERT_DIR", "/d:/e"}});
  EXPECT_EQ(directory.file, "/b");
  EXPECT_EQ(directory.directory, "/d:/e");
  EXPECT_EQ(directory.origin, "CURL_CA_BUNDLE (/b) and SSL_CERT_DIR (/d:/e)");
}

TEST(CaRoots, FirstReadableSystemFileIsUsed) {
  EXPECT_EQ(Find({{"SSL_CERT_FILE", ""}}, {"/no/such/file", "/dev/null", "/dev/zero"}).file,
            "/dev/null");
}

TEST(CaRoots, BuiltInRootsAreDefault) {
  const CaRoots roots = Find({}, {"/no/such/file"});
  EXPECT_EQ(roots.file, "");
  const auto store = LoadCaRoots(roots);
  ASSERT_TRUE(store.ok()) << store.status();
  // Debian's bundle has some 140.
  EXPECT_GT(sk_X509_OBJECT_num(X509_STORE_get0_objects(store->get())), 50);
}

TEST(CaRoots, UnreadableRootsAreNamed) {
  const TempDirectory directory;
  const std::string empty = directory.path() + "/empty.pem";
  ASSERT_TRUE(WriteFileAtomically(empty, "not a certificate", /*durable=*/false).ok());
  for (const std::string& path : {empty, directory.path() + "/absent.pem"}) {
    const absl::Status status = LoadCaRoots(Find({{"SSL_CERT_FILE", path}})).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr("SSL_CERT_FILE (" + path + ")"));
  }
  const absl::Status status = LoadCaRoots(Find({{"SSL_CERT_DIR", "/no/a:/no/b"}})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(LoadCaRoots(Find({{"SSL_CERT_DIR", "/no/a:" + directory.path()}})).ok());
}

}  // namespace
}  // namespace sparkles
