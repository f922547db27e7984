#include "doctor/finding.h"

#include <algorithm>

#include "base/text.h"

namespace sparkles {

void Findings::Ok(absl::string_view thing, absl::string_view text) {
  Add(Level::kOk, thing, text, "");
}

void Findings::Warn(absl::string_view thing, absl::string_view text, absl::string_view remedy) {
  Add(Level::kWarn, thing, text, remedy);
}

void Findings::Fail(absl::string_view thing, absl::string_view text, absl::string_view remedy) {
  Add(Level::kFail, thing, text, remedy);
}

void Findings::Skip(absl::string_view thing, absl::string_view reason) {
  Add(Level::kSkip, thing, reason, "");
}

void Findings::Add(Level level, absl::string_view thing, absl::string_view text,
                   absl::string_view remedy) {
  MutexLock lock(mutex_);
  findings_.push_back(
      {level, check_, PrintableText(thing), PrintableText(text), PrintableText(remedy)});
}

std::vector<Finding> Findings::All() const {
  MutexLock lock(mutex_);
  return findings_;
}

bool HasFailure(const std::vector<Finding>& findings, absl::string_view check,
                absl::string_view thing) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.level == Level::kFail && (check.empty() || finding.check == check) &&
           (thing.empty() || finding.thing == thing);
  });
}

}  // namespace sparkles
