#include "doctor/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"

namespace sparkles {
namespace {

std::vector<Finding> Examples() {
  Findings findings("example");
  findings.Ok("clock", "is right");
  findings.Warn("disk", "is slow.", "use another one");
  findings.Fail("port 1", "is\nin use", "use port 2");
  findings.Skip("bucket", "no credentials");
  return findings.All();
}

TEST(DoctorReport, TextHasOneLineForEachFinding) {
  EXPECT_EQ(FormatFindings(Examples()),
            "OK    clock: is right\n"
            "WARN  disk: is slow. Remedy: use another one\n"
            "FAIL  port 1: is\\nin use. Remedy: use port 2\n"
            "SKIP  bucket: not checked: no credentials\n");
}

TEST(DoctorReport, CountsAreByLevel) {
  EXPECT_EQ(FormatCounts(Examples()), "1 OK, 1 WARN, 1 FAIL, 1 not checked\n");
}

TEST(DoctorReport, JsonHasCountsAndFindings) {
  const auto report = ParseJson(FormatJson(Examples(), "1.2.3"));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ((*report)["version"], "1.2.3");
  for (const char* const count : {"ok", "warnings", "failures", "not_checked"}) {
    EXPECT_EQ((*report)[count], 1) << count;
  }
  const Json failure = {{"level", "FAIL"},
                        {"check", "example"},
                        {"thing", "port 1"},
                        {"finding", "is\\nin use"},
                        {"remedy", "use port 2"}};
  EXPECT_EQ((*report)["findings"][2], failure);
  EXPECT_FALSE((*report)["findings"][0].contains("remedy"));
}

TEST(DoctorReport, FailureIsFoundByCheckAndThing) {
  const std::vector<Finding> findings = Examples();
  EXPECT_TRUE(sparkles::HasFailure(findings));
  EXPECT_TRUE(sparkles::HasFailure(findings, "example"));
  EXPECT_TRUE(sparkles::HasFailure(findings, "example", "port 1"));
  EXPECT_FALSE(sparkles::HasFailure(findings, "example", "disk"));
  EXPECT_FALSE(sparkles::HasFailure(findings, "other"));
}

}  // namespace
}  // namespace sparkles
