#include "task/task_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kHash[] = "9F86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

TaskSpec Parsed(const std::string& text) {
  auto spec = ParseTaskSpec(text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? *std::move(spec) : TaskSpec();
}

// The spec `{"command": "true", FIELDS}`.
TaskSpec ParsedWith(const std::string& fields) {
  return Parsed(absl::StrCat("{\"command\": \"true\", ", fields, "}"));
}

std::string ErrorOf(const std::string& text) {
  const auto spec = ParseTaskSpec(text);
  EXPECT_TRUE(absl::IsInvalidArgument(spec.status())) << text << "\n" << spec.status();
  return std::string(spec.status().message());
}

std::string ErrorWith(const std::string& fields) {
  return ErrorOf(absl::StrCat("{\"command\": \"true\", ", fields, "}"));
}

std::string ErrorWithDownloads(const std::string& elements) {
  return ErrorWith(absl::StrCat("\"downloads\": [", elements, "]"));
}

TEST(TaskSpecTest, AllFieldsAreParsed) {
  const TaskSpec spec = Parsed(absl::StrCat(R"({
    "working_dir": "./sub//dir/", "command": "python3 x.py 1",
    "pre-download-script": "a", "post-download-script": "b", "pre-exec-script": "c",
    "post-exec-script": "d", "parameters": {"index": "1", "n": 2.5, "deep": {"x": [null]}},
    "downloads": [{"src_url": "gs://b/cas/)",
                                            kHash, R"(", "dst": "in/../x.py", "executable": true,
                   "is_cas_key": true, "symlink_safe": true},
                  {"src_url": "gs://b/y", "dst": "y"}],
    "uploads": {"include_patterns": ["**", "a/*.csv"], "exclude_patterns": ["*.tmp"],
                "dst_url": "gs://b/job/1/"},
    "command_result_url": "gs://b/job/1/result.json", "stdout_url": "gs://b/job/1/stdout.txt",
    "something_new": {"a": 1}})"));
  EXPECT_EQ(spec.working_dir, "sub/dir");
  EXPECT_EQ(spec.command, "python3 x.py 1");
  EXPECT_EQ(spec.pre_download_script, "a");
  EXPECT_EQ(spec.post_download_script, "b");
  EXPECT_EQ(spec.pre_exec_script, "c");
  EXPECT_EQ(spec.post_exec_script, "d");
  EXPECT_EQ(DumpJson(spec.parameters), R"({"deep":{"x":[null]},"index":"1","n":2.5})");
  ASSERT_EQ(spec.downloads.size(), 2u);
  EXPECT_EQ(spec.downloads[0].dst, "x.py");
  EXPECT_TRUE(spec.downloads[0].executable);
  EXPECT_TRUE(spec.downloads[0].is_cas_key);
  EXPECT_TRUE(spec.downloads[0].symlink_safe);
  EXPECT_EQ(spec.downloads[1].src_url, "gs://b/y");
  EXPECT_FALSE(spec.downloads[1].executable);
  EXPECT_THAT(spec.include_patterns, ElementsAre("**", "a/*.csv"));
  EXPECT_THAT(spec.exclude_patterns, ElementsAre("*.tmp"));
  EXPECT_EQ(spec.upload_url, "gs://b/job/1");
  EXPECT_EQ(spec.command_result_url, "gs://b/job/1/result.json");
  EXPECT_EQ(spec.stdout_url, "gs://b/job/1/stdout.txt");
}

TEST(TaskSpecTest, CommandAloneIsEnough) {
  const TaskSpec spec = Parsed(R"({"command": "true"})");
  EXPECT_EQ(spec.working_dir, ".");
  EXPECT_TRUE(spec.parameters.is_null());
  EXPECT_TRUE(spec.downloads.empty());
  EXPECT_TRUE(spec.include_patterns.empty());
}

// D30: a null in place of a value crashed the old worker.
TEST(TaskSpecTest, OptionalFieldsMayBeNull) {
  const TaskSpec spec = ParsedWith(R"(
    "working_dir": null, "pre-download-script": null, "post-download-script": null,
    "pre-exec-script": null, "post-exec-script": null, "parameters": null, "downloads": null,
    "uploads": null, "command_result_url": null, "stdout_url": null)");
  EXPECT_EQ(spec.working_dir, ".");
  EXPECT_TRUE(ParsedWith(R"("uploads": {"include_patterns": null, "exclude_patterns": null,
                                        "dst_url": null})")
                  .include_patterns.empty());
  EXPECT_FALSE(ParsedWith(R"("downloads": [{"src_url": "u", "dst": "d", "executable": null,
                             "is_cas_key": null, "symlink_safe": null}])")
                   .downloads[0]
                   .executable);
}

TEST(TaskSpecTest, ArgsMustBeJsonObject) {
  EXPECT_EQ(ErrorOf(""), "args: is empty, not JSON");
  EXPECT_THAT(ErrorOf("{\"command\": \n oops}"),
              StartsWith("args: is not valid JSON at line 2, column 2"));
  for (const auto* text : {"[]", "null", "1", "\"x\""}) {
    EXPECT_EQ(ErrorOf(text), "args: must be a JSON object");
  }
  EXPECT_EQ(ErrorOf(std::string(1000, '[')), "args: nests deeper than 100 levels");
  EXPECT_THAT(ErrorOf("{\"command\": \"\xff\"}"), StartsWith("args: "));
}

TEST(TaskSpecTest, MissingCommandIsRefused) {
  for (const auto* text : {"{}", R"({"command": null})", R"({"command": ""})"}) {
    EXPECT_EQ(ErrorOf(text), "command: is missing or empty");
  }
}

TEST(TaskSpecTest, WrongTypeErrorNamesField) {
  EXPECT_EQ(ErrorOf(R"({"command": 1})"), "command: must be a string");
  EXPECT_EQ(ErrorWith(R"("working_dir": [])"), "working_dir: must be a string");
  EXPECT_EQ(ErrorWith(R"("pre-exec-script": {})"), "pre-exec-script: must be a string");
  EXPECT_EQ(ErrorWith(R"("parameters": [])"), "parameters: must be a JSON object");
  EXPECT_EQ(ErrorWith(R"("downloads": {})"), "downloads: must be a list");
  EXPECT_EQ(ErrorWithDownloads("null"), "downloads[0]: must be a JSON object");
  EXPECT_EQ(ErrorWithDownloads(R"({"src_url": "u", "dst": "d"}, {"src_url": "u", "dst": 7})"),
            "downloads[1].dst: must be a string");
  EXPECT_EQ(ErrorWithDownloads(R"({"src_url": "u", "dst": "d", "executable": "yes"})"),
            "downloads[0].executable: must be true or false");
  EXPECT_EQ(ErrorWith(R"("uploads": [])"), "uploads: must be a JSON object");
  EXPECT_EQ(ErrorWith(R"("uploads": {"include_patterns": "**"})"),
            "uploads.include_patterns: must be a list");
  EXPECT_EQ(ErrorWith(R"("uploads": {"exclude_patterns": ["a", null]})"),
            "uploads.exclude_patterns[1]: must be a string");
  EXPECT_EQ(ErrorWith(R"("stdout_url": false)"), "stdout_url: must be a string");
  EXPECT_EQ(ErrorWith(R"("command_result_url": 0)"), "command_result_url: must be a string");
}

TEST(TaskSpecTest, NulInTextIsRefused) {
  EXPECT_EQ(ErrorOf(R"({"command": "a\u0000b"})"), "command: holds a NUL character");
  EXPECT_EQ(ErrorWith(R"("post-exec-script": "\u0000")"),
            "post-exec-script: holds a NUL character");
  EXPECT_EQ(ErrorWith(R"("working_dir": "\u0000")"), "working_dir: holds a NUL character");
  EXPECT_EQ(ErrorWithDownloads(R"({"src_url": "u\u0000", "dst": "d"})"),
            "downloads[0].src_url: holds a NUL character");
  EXPECT_EQ(ErrorWithDownloads(R"({"src_url": "u", "dst": "d\u0000"})"),
            "downloads[0].dst: holds a NUL character");
  EXPECT_EQ(ErrorWith(R"("uploads": {"include_patterns": ["\u0000"]})"),
            "uploads.include_patterns[0]: holds a NUL character");
  EXPECT_TRUE(ParseTaskSpec(R"({"command": "true", "parameters": {"a": "\u0000"}})").ok());
}

TEST(TaskSpecTest, CommandsAndScriptsHaveLengthLimit) {
  const std::string longest(kMaxCommandBytes, 'x');
  for (const auto* field : {"command", "pre-download-script", "post-download-script",
                            "pre-exec-script", "post-exec-script"}) {
    const std::string start = absl::StrCat("{\"command\": \"true\", \"", field, "\": \"", longest);
    EXPECT_TRUE(ParseTaskSpec(start + "\"}").ok()) << field;
    EXPECT_THAT(ErrorOf(start + "y\"}"),
                StartsWith(absl::StrCat(field, ": is longer than 131071 bytes")));
  }
}

// D08: nothing may lead out of the work directory.
TEST(TaskSpecTest, PathOutsideWorkDirectoryIsRefused) {
  EXPECT_THAT(ErrorWith(R"("working_dir": "/tmp")"), StartsWith("working_dir: "));
  EXPECT_THAT(ErrorWith(R"("working_dir": "a/../..")"), StartsWith("working_dir: "));
  for (const auto* dst : {"/etc/passwd", "..", "../x", "a/../../x", "./../x"}) {
    EXPECT_THAT(ErrorWithDownloads(absl::StrCat(R"({"src_url": "u", "dst": ")", dst, "\"}")),
                StartsWith("downloads[0].dst: "))
        << dst;
  }
}

TEST(TaskSpecTest, ReservedDestinationIsRefused) {
  for (const auto* dst : {".", "./", "a/.."}) {
    EXPECT_EQ(ErrorWithDownloads(absl::StrCat(R"({"src_url": "u", "dst": ")", dst, "\"}")),
              "downloads[0].dst: is the work directory itself");
  }
  // D09
  for (const auto* dst : {"stdout.txt", "./stdout.txt", "a/../stdout.txt", "stdout.txt/x"}) {
    EXPECT_EQ(ErrorWithDownloads(absl::StrCat(R"({"src_url": "u", "dst": ")", dst, "\"}")),
              "downloads[0].dst: is the task's own log");
  }
  EXPECT_EQ(
      ParsedWith(R"("downloads": [{"src_url": "u", "dst": "a/stdout.txt"}])").downloads[0].dst,
      "a/stdout.txt");
}

TEST(TaskSpecTest, DownloadNeedsSourceAndDestination) {
  EXPECT_EQ(ErrorWithDownloads("{}"), "downloads[0].src_url: is missing or empty");
  EXPECT_EQ(ErrorWithDownloads(R"({"src_url": "", "dst": "d"})"),
            "downloads[0].src_url: is missing or empty");
  EXPECT_EQ(ErrorWithDownloads(R"({"src_url": "u"})"), "downloads[0].dst: is missing or empty");
}

TEST(TaskSpecTest, NameOver255BytesIsRefused) {
  const std::string name(255, 'n');
  const auto download = [](const std::string& dst) {
    return absl::StrCat(R"({"src_url": "u", "dst": ")", dst, "\"}");
  };
  EXPECT_EQ(ParsedWith("\"downloads\": [" + download("a/" + name) + "]").downloads[0].dst,
            "a/" + name);
  EXPECT_EQ(ErrorWithDownloads(download("a/" + name + "n/b")),
            "downloads[0].dst: has a name of more than 255 bytes");
}

TEST(TaskSpecTest, InvalidCasKeyIsPlainInput) {
  const auto is_cas_key = [](const std::string& name) {
    return ParsedWith(absl::StrCat(R"("downloads": [{"src_url": "gs://b/cas/)", name,
                                   R"(", "dst": "d", "is_cas_key": true}])"))
        .downloads[0]
        .is_cas_key;
  };
  EXPECT_TRUE(is_cas_key(kHash));
  std::string no_hex = kHash;
  no_hex[63] = 'g';
  for (const std::string& name : {std::string(), std::string("x"), std::string(kHash) + "0",
                                  std::string(kHash).substr(1), std::string(kHash) + "/", no_hex}) {
    EXPECT_FALSE(is_cas_key(name)) << name;
  }
}

TEST(TaskSpecTest, RepeatedDownloadIsKeptOnce) {
  const TaskSpec spec = ParsedWith(R"("downloads": [{"src_url": "u", "dst": "z"},
    {"src_url": "u", "dst": "a"}, {"src_url": "u", "dst": "./a"},
    {"src_url": "u", "dst": "x/../a"}])");
  ASSERT_EQ(spec.downloads.size(), 2u);
  EXPECT_EQ(spec.downloads[0].dst, "z");
  EXPECT_EQ(spec.downloads[1].dst, "a");
}

// D09: the old worker kept the first one silently.
TEST(TaskSpecTest, ConflictingDownloadsAreRefused) {
  const std::string first = R"({"src_url": "u", "dst": "d"}, {"src_url": "u", "dst": "e"}, )";
  for (const auto* second :
       {R"({"src_url": "v", "dst": "d"})", R"({"src_url": "u", "dst": "d", "executable": true})",
        R"({"src_url": "u", "dst": "d", "symlink_safe": true})"}) {
    const std::string error = ErrorWithDownloads(first + second);
    EXPECT_THAT(error, StartsWith("downloads[2].dst: is also the dst of downloads[0]"));
  }
}

TEST(TaskSpecTest, DestinationInsideAnotherIsRefused) {
  // "d-x" and "d.x" sort between "d" and "d/x" in plain byte order.
  const std::string error = ErrorWithDownloads(
      R"({"src_url": "u", "dst": "d/x/y"}, {"src_url": "u", "dst": "d-x"},
         {"src_url": "u", "dst": "d.x"}, {"src_url": "u", "dst": "d"})");
  EXPECT_EQ(error, "downloads[0].dst: lies below downloads[3].dst, which is a file");
  EXPECT_EQ(ParsedWith(R"("downloads": [{"src_url": "u", "dst": "d/x"},
                          {"src_url": "u", "dst": "d/y"}, {"src_url": "u", "dst": "dd"}])")
                .downloads.size(),
            3u);
}

TEST(TaskSpecTest, TenThousandDownloadsAreParsed) {
  std::string list;
  for (int i = 0; i < 10'000; ++i) {
    absl::StrAppend(&list, i > 0 ? "," : "", R"({"src_url": "u", "dst": "d/)", i, "/x\"}");
  }
  EXPECT_EQ(ParsedWith("\"downloads\": [" + list + "]").downloads.size(), 10'000u);
}

// D04: the old worker treated an invalid pattern as one without matches.
TEST(TaskSpecTest, InvalidPatternIsNamed) {
  EXPECT_THAT(ErrorWith(R"("uploads": {"include_patterns": ["ok", "[oops"], "dst_url": "u"})"),
              testing::AllOf(StartsWith("uploads.include_patterns[1]: "), HasSubstr("[oops")));
  EXPECT_THAT(ErrorWith(R"("uploads": {"exclude_patterns": ["../x"]})"),
              StartsWith("uploads.exclude_patterns[0]: "));
}

TEST(TaskSpecTest, LeadingPatternSlashIsDropped) {
  const TaskSpec spec = ParsedWith(R"("uploads": {"include_patterns": ["/out/*", "//a", "b/c", "/"],
                                   "exclude_patterns": ["/out/*.tmp"], "dst_url": "u"})");
  EXPECT_THAT(spec.include_patterns, ElementsAre("out/*", "a", "b/c", ""));
  EXPECT_THAT(spec.exclude_patterns, ElementsAre("out/*.tmp"));
  EXPECT_THAT(spec.warnings, testing::SizeIs(4));
  EXPECT_EQ(spec.warnings[0],
            "uploads.include_patterns[0]: \"/out/*\" is read as \"out/*\", because patterns are "
            "relative to the work directory");
  EXPECT_THAT(ErrorWith(R"("uploads": {"include_patterns": ["/../x"], "dst_url": "u"})"),
              StartsWith("uploads.include_patterns[0]: "));
}

TEST(TaskSpecTest, PatternsNeedDestination) {
  for (const auto* url : {"null", "\"\""}) {
    EXPECT_EQ(
        ErrorWith(absl::StrCat(R"("uploads": {"include_patterns": ["*"], "dst_url": )", url, "}")),
        "uploads.dst_url: is missing or empty, but there are include patterns");
  }
  EXPECT_EQ(ParsedWith(R"("uploads": {"exclude_patterns": ["*"]})").upload_url, "");
}

// D15: a slash at the end must not be doubled.
TEST(TaskSpecTest, TrailingUploadUrlSlashIsDropped) {
  const auto url = [](const std::string& text) {
    return ParsedWith(absl::StrCat(R"("uploads": {"dst_url": ")", text, "\"}")).upload_url;
  };
  EXPECT_EQ(url("gs://b/1"), "gs://b/1");
  EXPECT_EQ(url("gs://b/1///"), "gs://b/1");
  EXPECT_EQ(url("file:///"), "file://");
  EXPECT_EQ(url("gs://"), "gs://");
}

}  // namespace
}  // namespace sparkles
