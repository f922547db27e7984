// What this machine has claimed from a queue in the cloud, so that it can be handed back when its
// worker has died.
// The one hard idea: a claim is written down before it is made. What is read here after a crash may
// never have come true, may be over, or may be nonsense; the fence (owner, version, time of the
// claim) tells, so nothing that stands here needs to be believed.
//
// Files: "claims-NNNNNNNNN.journal" in the tasks folder, one for each worker, locked (flock) as
// long as it lives; JSON lines, of which the torn and the unknown do not count. What is said of a
// claim last holds.
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
  // When the claim was sent for the last time; no part of what tells claims apart.
  absl::Time sent_at = absl::InfinitePast();
  // DatastoreQueueOptions::memory_mark at that time. Not part of a claim's identity, either.
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

  // Before the claim is sent, each time: writes it down. After an error (a machine fault) do not
  // send it.
  absl::Status Begin(const JournalEntry& entry);
  // The claim is over, or was never made. An entry that is not open does not matter.
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
