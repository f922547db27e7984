// The journal of the claims that the workers of one machine hold in a queue in the cloud. When a
// worker has died, the next one hands back what its journal names.
//
// A claim is written here before it is made. An entry that is read after a crash may stand for a
// claim that was never made, is over, or is nonsense. So no entry is believed: the fence (owner,
// version and time of the claim) is checked against the task itself.
//
// Files: "claims-NNNNNNNNN.journal" in the tasks directory, one for each worker, locked (flock) as
// long as the worker lives. JSON lines; the last line about a claim counts. Torn and unknown lines
// are skipped.
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
  int64_t version = 0;    // that the claim writes
  absl::Time claimed_at;  // in microseconds

  // DatastoreQueueOptions::memory_mark at that time; not part of the claim's identity.
  std::string memory_mark = "";

  friend bool operator==(const JournalEntry& a, const JournalEntry& b) {
    return a.project == b.project && a.cluster == b.cluster && a.task_id == b.task_id &&
           a.owner == b.owner && a.version == b.version && a.claimed_at == b.claimed_at;
  }
};

// The entries of a journal's text that no line ends.
std::vector<JournalEntry> ParseJournal(absl::string_view text);

// Used by one thread.
class ClaimJournal {
 public:
  // Makes the file of this worker in `folder`, which must exist. With `durable` claims survive a
  // power cut too.
  static absl::StatusOr<std::unique_ptr<ClaimJournal>> Open(std::string folder, bool durable);
  // Removes the file if nothing is open.
  ~ClaimJournal();
  ClaimJournal(const ClaimJournal&) = delete;
  ClaimJournal& operator=(const ClaimJournal&) = delete;

  // Writes down a claim that is about to be made. After an error (a machine fault) the claim must
  // not be made.
  absl::Status Begin(const JournalEntry& entry);
  // The claim is over, or was not made. Does nothing if the entry is not open.
  void End(const JournalEntry& entry);

  // Calls `settle` with each open entry of each journal whose worker is dead; true: it need not be
  // looked at again. A journal goes when all its entries are settled. Of one that is longer than
  // any worker makes it only the end is read.
  void ForEachAbandoned(absl::FunctionRef<bool(const JournalEntry& entry)> settle) const;

 private:
  ClaimJournal(std::string folder, bool durable) : folder_(std::move(folder)), durable_(durable) {}

  // Writes all that is open into a new file, which takes the place of the old one. After an error
  // all is as it was.
  absl::Status WriteAnew();
  absl::Status MakeAgainIfRemoved();
  absl::Status Append(const std::string& line);
  // Whether the file at our path is ours still.
  bool IsInPlace() const;

  const std::string folder_;
  const bool durable_;
  std::string path_;
  UniqueFd fd_;        // locked
  bool torn_ = false;  // the file may end within a line
  std::vector<JournalEntry> open_;
};

}  // namespace sparkles
