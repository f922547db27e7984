// Reads the result.json of many tasks in parallel.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "storage/object_store.h"
#include "summary/task_row.h"

namespace sparkles {

struct ResultProblems {
  size_t unreadable = 0;  // results that a store refused or could not deliver
  size_t malformed = 0;   // results that are not JSON
  size_t skipped = 0;     // results that were not read, because too many were unreadable
  absl::Status first_unreadable = {};  // the message begins with the URL
  absl::Status first_malformed = {};
};

// Fills `use` of each row that has a result_url. A row without a result, or with a problem, keeps
// its empty `use`. `on_progress` gets the number of rows that are done, in any order, on several
// threads; it may be null.
//
// Memory: 32 results of up to 1 MiB at a time. Longer results, which list about 10,000 files, are
// read after the others, one at a time.
ResultProblems ReadResults(ObjectStore& store, std::vector<TaskRow>& rows,
                           const std::function<void(size_t done)>& on_progress);

}  // namespace sparkles
