// What the Monitor's calls do, for those who may call.
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

// What a client that follows a task needs to know and no field of the reply tells; in the trailing
// metadata of ReadOutput. The task has ended, and this reply has the last of its log:
inline constexpr char kLogIsCompleteKey[] = "sparkles-log-complete";
// The log is shorter than the offset, so the command has cut it; begin again at 0:
inline constexpr char kLogWasCutKey[] = "sparkles-log-cut";

// Thread-safe: gRPC calls from threads of its own.
class MonitorService final : public ::Monitor::CallbackService {
 public:
  // Borrows all.
  MonitorService(const SecretCheck& secret, OutputTable& outputs, Clock& clock,
                 std::string proc_root)
      : secret_(secret),
        outputs_(outputs),
        clock_(clock),
        status_(clock, [root = std::move(proc_root)] { return ReadProcessStatus(root); }) {}

  // UNAUTHENTICATED without the secret, as the other call;
  // INVALID_ARGUMENT if size < 1 or offset < 0; NOT_FOUND if no log of that task can be read.
  grpc::ServerUnaryReactor* ReadOutput(grpc::CallbackServerContext* context,
                                       const ReadOutputRequest* request,
                                       ReadOutputReply* reply) override;

  // The figures are as old as StatusCache says.
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
