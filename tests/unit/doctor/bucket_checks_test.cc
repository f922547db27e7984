#include "doctor/bucket_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "storage/gcs_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_gcs.h"
#include "tests/support/finding_text.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

// A Cloud Storage that answers which permissions there are, and can refuse requests.
class GuardedGcs : public HttpTransport {
 public:
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override {
    if (absl::StrContains(request.url, "/iam/testPermissions")) {
      if (!bucket_exists) return MakeResponse(404, R"({"error":{"message":"no bucket"}})");
      Json list = Json::array();
      for (const std::string& permission : granted) {
        if (absl::StrContains(request.url, permission)) list.push_back(permission);
      }
      return MakeResponse(200, DumpJson(Json{{"permissions", list}}));
    }
    if (request.method == refused_method) {
      return MakeResponse(403, R"({"error":{"message":"refused"}})");
    }
    return objects.Send(request);
  }

  FakeGcs objects;
  bool bucket_exists = true;
  std::set<std::string> granted = {"storage.objects.get", "storage.objects.create",
                                   "storage.objects.delete"};
  std::string refused_method;
};

class BucketChecksTest : public testing::Test {
 protected:
  std::string Check(const BucketTarget& target = {"b", ""}) {
    return FindingText(
        [&](Findings& findings) { CheckBucket(client_, target, cancel_, findings); });
  }

  std::string Write(const BucketTarget& target = {"b", ""}) {
    return FindingText(
        [&](Findings& findings) { CheckBucketWrite(client_, store_, target, cancel_, findings); });
  }

  std::vector<std::string> Objects() const { return server_.objects.KeysBelow(""); }

  GuardedGcs server_;
  FakeClock clock_;
  CancelToken cancel_;
  ApiClient api_{{"http://gcs", nullptr}, server_, clock_};
  GcsClient client_{api_, clock_, {.max_elapsed = absl::Seconds(2)}};
  GcsStore store_{client_};
};

TEST_F(BucketChecksTest, FlagIsNameOrUrl) {
  for (const char* const flag : {"lab", "gs://lab", "gs://lab/"}) {
    const auto target = ParseBucket(flag);
    ASSERT_TRUE(target.ok()) << flag;
    EXPECT_EQ(BucketUrl(*target), "gs://lab/");
  }
  EXPECT_EQ(BucketUrl(ParseBucket("gs://lab/a/b/").value()), "gs://lab/a/b/");
  for (const char* const flag : {"", "gs://", "a b", "/lab", "s3://lab"}) {
    EXPECT_FALSE(ParseBucket(flag).ok()) << flag;
  }
}

TEST_F(BucketChecksTest, MissingPermissionsAreNamed) {
  EXPECT_THAT(Check(), StartsWith("OK    gs://b/: the account may read, write"));
  server_.granted.erase("storage.objects.delete");
  EXPECT_THAT(Check(), AllOf(StartsWith("FAIL  gs://b/: the account lacks storage.objects.delete"),
                             HasSubstr("cannot replace"), HasSubstr("roles/storage.objectUser")));
  server_.granted.erase("storage.objects.create");
  EXPECT_THAT(Check(), HasSubstr("it can only read from the bucket"));
  server_.granted.clear();
  EXPECT_THAT(Check(), HasSubstr("lacks storage.objects.get, storage.objects.create"));
  EXPECT_THAT(Check({"b", "p/"}), AllOf(StartsWith("WARN  gs://b/p/: "), HasSubstr("--write")));
}

TEST_F(BucketChecksTest, MissingBucketIsNamed) {
  server_.bucket_exists = false;
  EXPECT_THAT(Check(), AllOf(StartsWith("FAIL"), HasSubstr("buckets create gs://b")));
}

TEST_F(BucketChecksTest, WrittenObjectIsReadAndRemoved) {
  EXPECT_THAT(Write(), StartsWith("OK    write to gs://b/: an object was written, read back"));
  EXPECT_THAT(Objects(), IsEmpty());
  EXPECT_THAT(server_.objects.requests(), testing::Contains("DELETE"));
}

TEST_F(BucketChecksTest, NothingIsWrittenWithoutRightToRemove) {
  server_.granted.erase("storage.objects.delete");
  EXPECT_THAT(Write(), StartsWith("SKIP  write to gs://b/: "));
  EXPECT_THAT(server_.objects.requests(), IsEmpty());
}

TEST_F(BucketChecksTest, RefusedWriteFails) {
  server_.refused_method = "POST";
  EXPECT_THAT(Write(), AllOf(StartsWith("FAIL  write to gs://b/: "), HasSubstr("refused"),
                             HasSubstr("roles/storage.objectUser")));
}

TEST_F(BucketChecksTest, UnreadableObjectIsRemoved) {
  server_.refused_method = "GET";
  const std::string text = Write();
  EXPECT_THAT(text, HasSubstr("FAIL  write to gs://b/: "));
  server_.refused_method = "DELETE";
  EXPECT_THAT(Write(), AllOf(HasSubstr("the test object was not removed"),
                             HasSubstr("gcloud storage rm gs://b/sparklesworker-doctor-")));
  EXPECT_THAT(Objects(), SizeIs(testing::Ge(1u)));
}

TEST_F(BucketChecksTest, CancelledWriteLeavesNothing) {
  cancel_.Cancel(CancelKind::kAbort, "no answer within 5s");
  EXPECT_THAT(Write({"b", "p/"}), HasSubstr("no answer within 5s"));
  EXPECT_THAT(Objects(), IsEmpty());
}

}  // namespace
}  // namespace sparkles
