#include "summary/failure_groups.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

constexpr absl::string_view kBlank = "*";
constexpr absl::string_view kOpening = "([{<'`";
constexpr absl::string_view kClosing = ")]}>'`,;:.";

bool IsDetail(absl::string_view word) {
  for (size_t i = 0; i < word.size(); ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    if (absl::ascii_isdigit(byte) || byte == '/') return true;
    // An extension. Dots at the end of the word have been removed.
    if (byte == '.' && i > 0 && word[i - 1] != '.') return true;
  }
  return false;
}

// Appends `word` without details. Keeps punctuation at its start and end.
void AppendWord(absl::string_view word, std::string& out) {
  size_t begin = 0;
  size_t end = word.size();
  while (begin < end && kOpening.find(word[begin]) != absl::string_view::npos) ++begin;
  while (end > begin && kClosing.find(word[end - 1]) != absl::string_view::npos) --end;
  const absl::string_view core = word.substr(begin, end - begin);
  absl::StrAppend(&out, word.substr(0, begin), IsDetail(core) ? kBlank : core, word.substr(end));
}

// The kinds of `cause` that explain a failure better than the failure reason, which may only say
// that an output is missing.
bool IsRootCause(absl::string_view kind) {
  return kind == "out_of_memory" || kind == "disk_full" || kind == "time_limit" ||
         kind == "no_progress";
}

}  // namespace

std::string BlankDetails(absl::string_view reason) {
  std::string out;
  while (!reason.empty()) {
    size_t length = 0;
    if (reason[0] == ' ') {
      out += ' ';
      length = 1;
    } else if (reason[0] == '"' && reason.find('"', 1) != absl::string_view::npos) {
      absl::StrAppend(&out, "\"", kBlank, "\"");
      length = reason.find('"', 1) + 1;
    } else {
      length = std::min(reason.find_first_of(" \"", 1), reason.size());
      AppendWord(reason.substr(0, length), out);
    }
    reason.remove_prefix(length);
  }
  return out;
}

std::string CauseOf(const TaskRow& row) {
  if (!IsFailure(row)) return "";
  const TaskUse& use = row.use;
  if (IsRootCause(use.cause_kind)) return use.cause_kind;
  if (row.status == "failed") {
    return row.failure_reason.empty() ? "no reason given" : BlankDetails(row.failure_reason);
  }
  // The detail begins with the signal's name, such as "signaled(killed)".
  if (use.cause_kind == "signal") return use.cause_detail.substr(0, use.cause_detail.find(':'));
  return absl::StrCat("exit code ", row.exit_code);
}

std::vector<Group> GroupFailures(const std::vector<TaskRow>& rows) {
  return GroupBy(rows.size(), [&rows](size_t row) { return CauseOf(rows[row]); });
}

}  // namespace sparkles
