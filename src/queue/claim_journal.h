// Records the claims of one worker in a file. If the worker dies, the next worker on the machine
// reads the file and hands the claims back.
//
// A claim is written to the journal before it is made. Therefore an entry may be about a claim that
// was never made or has ended, and a task may even have written the entry. The reader must compare
// the entry's fence (owner, version and time) with the task.
//
// The file is "claims-NNNNNNNNN.journal" in --tasksDir. Each worker locks its file (flock) while it
// lives. The file has JSON Lines, and the last line about a claim counts. Incomplete and unknown
// lines are skipped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/fd.h"

namespace sparkles {

struct JournalEntry {
  std::string project;
  std::string cluster;
  std::string task_id;
  std::string owner;
  int64_t version = 0;    // the task's version after the claim
  absl::Time claimed_at;  // in microseconds

  // The value of DatastoreQueueOptions::memory_mark. Not compared by operator==.
  std::string memory_mark = "";

  friend bool operator==(const JournalEntry& a, const JournalEntry& b) {
    return a.project == b.project && a.cluster == b.cluster && a.task_id == b.task_id &&
           a.owner == b.owner && a.version == b.version && a.claimed_at == b.claimed_at;
  }
};

// The open entries of a journal's text: the claims without a line that ends them.
std::vector<JournalEntry> ParseJournal(absl::string_view text);

// Used by one thread.
class ClaimJournal {
 public:
  // Creates the file of this worker in `directory`, which must exist. With `durable` the entries
  // survive a power cut. Errors are machine faults.
  static absl::StatusOr<std::unique_ptr<ClaimJournal>> Open(std::string directory, bool durable);
  // Removes the file if it has no open entries.
  ~ClaimJournal();
  ClaimJournal(const ClaimJournal&) = delete;
  ClaimJournal& operator=(const ClaimJournal&) = delete;

  // Records a claim before it is made. After an error (a machine fault) the claim must not be made.
  absl::Status Begin(const JournalEntry& entry);
  // Records that the claim has ended or was not made. Does nothing if the entry is not open.
  void End(const JournalEntry& entry);

  // Calls `settle` with each open entry of the journals of dead workers. `settle` returns true if
  // the entry can be removed. A journal is removed when all its entries are settled. Only the last
  // MiB of a journal is read.
  void ForEachAbandoned(absl::FunctionRef<bool(const JournalEntry& entry)> settle) const;

 private:
  ClaimJournal(std::string directory, bool durable)
      : directory_(std::move(directory)), durable_(durable) {}

  // Replaces the file by a new one with the open entries. After an error the old file stays.
  absl::Status RewriteFile();
  absl::Status RecreateIfRemoved();
  absl::Status Append(const std::string& line);
  // True if path_ is still a name of the open file.
  bool IsInPlace() const;

  const std::string directory_;
  const bool durable_;
  std::string path_;
  UniqueFd fd_;        // locked
  bool torn_ = false;  // the file may end with an incomplete line
  std::vector<JournalEntry> open_;
};

}  // namespace sparkles
