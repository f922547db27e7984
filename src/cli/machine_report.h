// `status`: how busy a worker's machine is, in words.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "monitor/process_status.h"

namespace sparkles {

// Four lines. Processors are watched for a second, or for as long as the Monitor gives the same
// answer; `ask` is as MonitorClient::GetProcessStatus.
absl::StatusOr<std::string> DescribeMachine(absl::FunctionRef<absl::StatusOr<ProcessStatus>()> ask,
                                            Clock& clock);

}  // namespace sparkles
