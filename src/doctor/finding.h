// Collects what the checks of a set-up find.
#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace sparkles {

enum class Level {
  kOk,
  kWarn,  // the worker runs, but more slowly, or with less than the flags ask for
  kFail,  // the worker cannot run tasks, or cannot do what a flag asks for
  kSkip,  // not checked
};

struct Finding {
  Level level = Level::kOk;
  std::string check;   // the name of the check for programs, such as "clock"
  std::string thing;   // what was checked, such as "gs://bucket"
  std::string text;    // the finding, or the reason why the thing was not checked
  std::string remedy;  // empty for kOk and kSkip
};

// Collects the findings of one check. Thread-safe, because a check that hangs may still add
// findings while another thread reads them.
class Findings {
 public:
  // `check` is the Finding::check of all findings.
  explicit Findings(absl::string_view check) : check_(check) {}

  void Ok(absl::string_view thing, absl::string_view text);
  void Warn(absl::string_view thing, absl::string_view text, absl::string_view remedy);
  void Fail(absl::string_view thing, absl::string_view text, absl::string_view remedy);
  void Skip(absl::string_view thing, absl::string_view reason);

  // All findings so far, oldest first.
  std::vector<Finding> All() const;

 private:
  void Add(Level level, absl::string_view thing, absl::string_view text, absl::string_view remedy);

  const std::string check_;
  mutable Mutex mutex_;
  std::vector<Finding> findings_ ABSL_GUARDED_BY(mutex_);
};

// True if one of `findings` is a kFail of the check `check` about `thing`. An empty
// `check` or `thing` matches any.
bool HasFailure(const std::vector<Finding>& findings, absl::string_view check = "",
                absl::string_view thing = "");

}  // namespace sparkles
