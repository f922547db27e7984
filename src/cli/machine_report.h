// The text of the command `status`: the load of a worker's machine.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "monitor/process_status.h"

namespace sparkles {

// Returns four lines of text. Takes a second, or more if the Monitor repeats the same answer.
// `ask` is like MonitorClient::GetProcessStatus.
absl::StatusOr<std::string> DescribeMachine(absl::FunctionRef<absl::StatusOr<ProcessStatus>()> ask,
                                            Clock& clock);

}  // namespace sparkles
