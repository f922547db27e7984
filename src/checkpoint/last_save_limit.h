// Limits the last save of a task that is handed back, so that a stop does not take longer.
#pragma once

#include "base/cancel.h"
#include "base/stop_time.h"
#include "base/thread.h"

namespace sparkles {

// After `stop` was hurried, files() is cancelled when StopTime::save_files_limit has passed, and
// save() when StopTime::save_limit has passed. Until `stop` is hurried, a save has no limit.
class LastSaveLimit {
 public:
  // Borrows `stop`.
  LastSaveLimit(const CancelToken& stop, const StopTime& time);

  const CancelToken& files() const { return files_; }
  const CancelToken& save() const { return save_; }

 private:
  CancelToken save_;
  CancelToken files_{&save_};
  Housekeeper thread_;
};

}  // namespace sparkles
