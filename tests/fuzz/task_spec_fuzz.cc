// Fuzzes ParseTaskSpec: a spec that it accepts must keep every promise of task/task_spec.h.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "base/glob.h"
#include "base/path.h"
#include "task/task_spec.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

bool IsClean(const std::string& path) {
  const absl::StatusOr<std::string> clean = CleanRelativePath(path);
  return clean.ok() && *clean == path;
}

void CheckPatterns(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    Require(Glob::Parse(pattern).ok(), "every pattern parses");
  }
}

void CheckDownloads(const std::vector<Download>& downloads) {
  std::set<std::string> destinations;
  for (const Download& download : downloads) {
    Require(!download.src_url.empty(), "every download has a source");
    Require(IsClean(download.dst), "every dst is clean");
    Require(download.dst != "." && download.dst != "stdout.txt", "every dst is an input's");
    Require(destinations.insert(download.dst).second, "every dst is there once");
  }
}

void Check(absl::string_view input) {
  const absl::StatusOr<TaskSpec> spec = ParseTaskSpec(input);
  if (!spec.ok()) {
    Require(absl::IsInvalidArgument(spec.status()), "a bad spec is InvalidArgument");
    return;
  }
  Require(!spec->command.empty(), "there is a command");
  Require(IsClean(spec->working_dir), "working_dir is clean");
  for (const std::string& script :
       {spec->command, spec->pre_download_script, spec->post_download_script, spec->pre_exec_script,
        spec->post_exec_script}) {
    Require(script.size() <= kMaxCommandBytes, "every script fits into an argument");
    Require(script.find('\0') == std::string::npos, "no script holds a NUL");
  }
  Require(spec->parameters.is_object() || spec->parameters.is_null(), "parameters are an object");
  CheckDownloads(spec->downloads);
  CheckPatterns(spec->include_patterns);
  CheckPatterns(spec->exclude_patterns);
  Require(!spec->upload_url.empty() || spec->include_patterns.empty(), "outputs have a place");
  Require(!absl::EndsWith(spec->upload_url, "/") || absl::EndsWith(spec->upload_url, "://"),
          "dst_url has no trailing slash");
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
