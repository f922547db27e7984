// The ends of claims that could not be recorded when the task ended. They are tried again when the
// worker has nothing else to do.
#pragma once

#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "queue/datastore_context.h"

namespace sparkles {

// Used by one thread.
class UnrecordedEnds {
 public:
  explicit UnrecordedEnds(Log log) : log_(std::move(log)) {}

  void Add(const Claim& claim, const Outcome& outcome);

  // Tries each once more with `end`, which is DatastoreQueue::EndOwn. An end that the server
  // refuses becomes a hand-back. What was recorded is added to `recorded`. An error: some ends are
  // still unrecorded, and may be recorded later.
  absl::Status Record(
      absl::FunctionRef<absl::Status(const Claim& claim, const Outcome& outcome)> end,
      std::vector<RecordedEnd>& recorded);

 private:
  const Log log_;
  std::vector<std::pair<Claim, Outcome>> ends_;
};

}  // namespace sparkles
