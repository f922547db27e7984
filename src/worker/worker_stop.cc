#include "worker/worker_stop.h"

#include "worker/exit_code.h"

namespace sparkles {

WorkerStop::WorkerStop(StopTime time, LogSink& sink)
    : time_(time),
      sink_(sink),
      signals_(stop_, drain_, sink),
      deadline_(stop_, [this] { return StepsWithin(time_); }) {}

std::vector<StopStep> WorkerStop::StepsWithin(const StopTime& time) {
  return {{time.hurry(), [this] { stop_.Hurry(); }},
          {time.end(), [this] { EndUnfinished(sink_, exit_code()); }}};
}

int WorkerStop::exit_code() const {
  const int signal = signals_.received();
  return signal == 0 ? int{kExitPreempted} : 128 + signal;
}

int WorkerStop::ExitCodeOf(Consumer::End end) const {
  switch (end) {
    case Consumer::End::kMachineUnfit:
      return kExitMachineUnfit;
    case Consumer::End::kStopped:
      return exit_code();
    case Consumer::End::kQueueBroken:
      return kExitTasksFile;
    case Consumer::End::kQueueEmpty:
    case Consumer::End::kDrained:
      break;
  }
  return kExitDone;
}

int WorkerStop::ExitCodeBeforeClaims() const {
  return stop_.cancelled() ? exit_code() : int{kExitDone};
}

}  // namespace sparkles
