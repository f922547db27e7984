// Implements the calls of the Monitor.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "base/clock.h"
#include "monitor.grpc.pb.h"
#include "monitor/auth.h"
#include "monitor/output_table.h"
#include "monitor/reply_budget.h"
#include "monitor/status_cache.h"

namespace sparkles {

// Keys in the trailing metadata of ReadOutput, for clients that follow a log. This key means that
// the task has ended and the reply contains the end of its log.
inline constexpr char kLogIsCompleteKey[] = "sparkles-log-complete";
// This key means that the command has truncated the log: it is shorter than the offset, and the
// client must continue at 0.
inline constexpr char kLogWasCutKey[] = "sparkles-log-cut";

// Thread-safe, because gRPC calls it from several threads.
class MonitorService final : public ::Monitor::CallbackService {
 public:
  // Borrows `secret`, `outputs` and `clock`.
  MonitorService(const SecretCheck& secret, OutputTable& outputs, Clock& clock,
                 std::string proc_root)
      : secret_(secret),
        outputs_(outputs),
        clock_(clock),
        status_(clock, [root = std::move(proc_root)] { return ReadProcessStatus(root); }) {}

  // UNAUTHENTICATED without the secret. INVALID_ARGUMENT if size < 1 or offset < 0. NOT_FOUND if
  // this worker has no log of the task.
  grpc::ServerUnaryReactor* ReadOutput(grpc::CallbackServerContext* context,
                                       const ReadOutputRequest* request,
                                       ReadOutputReply* reply) override;

  // UNAUTHENTICATED without the secret. The values may be as old as StatusCache allows.
  grpc::ServerUnaryReactor* GetProcessStatus(grpc::CallbackServerContext* context,
                                             const GetProcessStatusRequest* request,
                                             GetProcessStatusReply* reply) override;

 private:
  class OutputCall;

  const SecretCheck& secret_;
  OutputTable& outputs_;
  Clock& clock_;
  StatusCache status_;
  ReplyBudget budget_;
};

}  // namespace sparkles
