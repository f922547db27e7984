// Google takes a Spot VM away half a minute after it said so. The metadata server says it first.
#pragma once

#include <string>
#include <thread>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "gcp/metadata_server.h"

namespace sparkles {

// From construction to destruction, cancels `preempted` (kHandBack) once `instance/preempted` is
// true.
// Asks by long polls, so that it knows at once and costs a request a minute. Where there is no
// metadata server, or it has no such value, nothing is watched.
class PreemptionWatch {
 public:
  // Borrows all. Checks once before it returns, since a preempted VM must not claim a task. `stop`
  // ends that check.
  PreemptionWatch(MetadataServer& metadata, Clock& clock, const CancelToken& stop,
                  CancelToken& preempted, Log log);
  // Ends a question that is under way.
  ~PreemptionWatch();
  PreemptionWatch(const PreemptionWatch&) = delete;
  PreemptionWatch& operator=(const PreemptionWatch&) = delete;

 private:
  void Watch();
  // False if it is known that there is nothing (more) to watch.
  bool Take(const absl::StatusOr<MetadataValue>& answer);

  MetadataServer& metadata_;
  Clock& clock_;
  CancelToken& preempted_;
  const Log log_;
  std::string etag_;
  CancelToken done_;
  std::thread thread_;
};

}  // namespace sparkles
