#include "summary/result_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "tests/support/failing_store.h"
#include "tests/support/mem_store.h"
#include "tests/unit/summary/task_rows.h"

namespace sparkles {
namespace {

using testing::StartsWith;

class ResultReaderTest : public testing::Test {
 protected:
  static std::string Url(size_t index) { return absl::StrCat("mem://b/", index); }

  // Rows with a result_url each.
  static std::vector<TaskRow> Rows(size_t count) {
    std::vector<TaskRow> rows(count, EndedTask("job", "0"));
    for (size_t i = 0; i < count; ++i) rows[i].result_url = Url(i);
    return rows;
  }

  MemStore mem_;
  FailingStore store_{mem_};
};

TEST_F(ResultReaderTest, EachRowGetsItsResult) {
  std::vector<TaskRow> rows = Rows(100);
  for (size_t i = 0; i < rows.size(); i += 2) {
    mem_.Put(Url(i), absl::StrCat(R"({"files":[],"resource_usage":{"elapsed_time":)", i, "}}"));
  }
  std::atomic<size_t> most = 0;
  const auto problems = ReadResults(store_, rows, [&most](size_t done) {
    for (size_t seen = most; seen < done && !most.compare_exchange_weak(seen, done);) continue;
  });
  EXPECT_EQ(problems.unreadable + problems.malformed + problems.skipped, 0U);
  EXPECT_EQ(most, rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].use.wall_seconds.has_value(), i % 2 == 0);
    EXPECT_EQ(rows[i].use.wall_seconds.value_or(static_cast<double>(i)), i);
  }
}

TEST_F(ResultReaderTest, LongResultIsReadLater) {
  std::vector<TaskRow> rows = Rows(2);
  std::string files;
  for (int i = 0; i < 20'000; ++i) {
    absl::StrAppend(&files, i == 0 ? "" : ",", R"({"src":")", std::string(100, 'x'), "\"}");
  }
  mem_.Put(Url(0), absl::StrCat(R"({"files":[)", files, "]}"));
  mem_.Put(Url(1), R"({"files":[]})");
  const auto problems = ReadResults(store_, rows, nullptr);
  EXPECT_TRUE(problems.first_unreadable.ok()) << problems.first_unreadable;
  EXPECT_EQ(rows[0].use.outputs, 20'000U);
  EXPECT_EQ(rows[1].use.outputs, 0U);
}

TEST_F(ResultReaderTest, MalformedResultIsNamed) {
  std::vector<TaskRow> rows = Rows(2);
  mem_.Put(Url(0), "{\"files\":");
  mem_.Put(Url(1), R"({"files":[]})");
  const auto problems = ReadResults(store_, rows, nullptr);
  EXPECT_EQ(problems.malformed, 1U);
  EXPECT_THAT(std::string(problems.first_malformed.message()), StartsWith("mem://b/0: "));
  EXPECT_EQ(problems.unreadable, 0U);
  EXPECT_EQ(rows[1].use.outputs, 0U);
}

TEST_F(ResultReaderTest, ManyErrorsEndTheReading) {
  std::vector<TaskRow> rows = Rows(1000);
  store_.Add({.method = StoreMethod::kReadBytes,
              .status = absl::PermissionDeniedError("mem://b/x: not allowed")});
  const auto problems = ReadResults(store_, rows, nullptr);
  EXPECT_GE(problems.unreadable, 20U);
  EXPECT_LE(problems.unreadable, 20U + 32U);
  EXPECT_EQ(problems.unreadable + problems.skipped, rows.size());
  EXPECT_EQ(problems.first_unreadable.message(), "mem://b/x: not allowed");
}

TEST_F(ResultReaderTest, OneErrorDoesNotStopTheOthers) {
  std::vector<TaskRow> rows = Rows(50);
  for (size_t i = 0; i < rows.size(); ++i) mem_.Put(Url(i), R"({"files":[]})");
  store_.Add({.method = StoreMethod::kReadBytes,
              .url_part = Url(7),
              .status = absl::PermissionDeniedError("no")});
  const auto problems = ReadResults(store_, rows, nullptr);
  EXPECT_EQ(problems.unreadable, 1U);
  EXPECT_FALSE(rows[7].use.outputs);
  EXPECT_TRUE(rows[49].use.outputs);
}

}  // namespace
}  // namespace sparkles
