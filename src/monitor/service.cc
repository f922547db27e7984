#include "monitor/service.h"

#include <memory>
#include <utility>

#include "monitor/log_reader.h"

namespace sparkles {
namespace {

grpc::Status CheckRequest(const ReadOutputRequest& request) {
  if (request.size() < 1) return {grpc::StatusCode::INVALID_ARGUMENT, "size must be at least 1"};
  if (request.offset() < 0) return {grpc::StatusCode::INVALID_ARGUMENT, "offset is negative"};
  return grpc::Status::OK;
}

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext& context, const grpc::Status& why) {
  auto* reactor = context.DefaultReactor();
  reactor->Finish(why);
  return reactor;
}

}  // namespace

// One ReadOutput call. Lives until gRPC has released the reply's memory.
class MonitorService::OutputCall : public grpc::ServerUnaryReactor {
 public:
  OutputCall(ReplyBudget& budget, grpc::CallbackServerContext& context, size_t wanted,
             absl::Time now)
      : budget_(budget), reply_(budget.Reserve(wanted, now, [&context] { context.TryCancel(); })) {}

  size_t bytes() const { return ReplyBudget::Bytes(reply_); }
  void Shrink(size_t bytes) { budget_.Shrink(reply_, bytes); }

  void OnDone() override {
    budget_.Release(reply_);
    delete this;
  }

 private:
  ReplyBudget& budget_;
  const ReplyBudget::Handle reply_;
};

grpc::ServerUnaryReactor* MonitorService::ReadOutput(grpc::CallbackServerContext* context,
                                                     const ReadOutputRequest* request,
                                                     ReadOutputReply* reply) {
  const grpc::Status authorized = secret_.Check(context->client_metadata());
  if (!authorized.ok()) return Refuse(*context, authorized);
  const grpc::Status valid = CheckRequest(*request);
  if (!valid.ok()) return Refuse(*context, valid);
  const auto log = outputs_.Find(request->taskid());
  if (!log)
    return Refuse(*context, {grpc::StatusCode::NOT_FOUND, "this worker has no log of that task"});
  auto* call =
      new OutputCall(budget_, *context, static_cast<size_t>(request->size()), clock_.Now());
  const bool ended = log->ended();  // read first: if true, the log does not grow any more
  auto piece = ReadLog(log->fd(), request->offset(), call->bytes(), ended);
  if (!piece.ok()) {
    call->Finish({grpc::StatusCode::INTERNAL, "the log cannot be read"});
    return call;
  }
  call->Shrink(piece->data.size());
  reply->set_data(std::move(piece->data));
  reply->set_endoffile(piece->at_end);
  reply->set_newoffset(piece->new_offset);
  if (ended && piece->at_end) {
    log->ClearUnfinishedRead();
  } else {
    log->RecordUnfinishedRead(clock_.Now());
  }
  if (piece->was_cut) {
    context->AddTrailingMetadata(kLogWasCutKey, "1");
  } else if (ended && piece->at_end) {
    context->AddTrailingMetadata(kLogIsCompleteKey, "1");
  }
  call->Finish(grpc::Status::OK);
  return call;
}

grpc::ServerUnaryReactor* MonitorService::GetProcessStatus(grpc::CallbackServerContext* context,
                                                           const GetProcessStatusRequest*,
                                                           GetProcessStatusReply* reply) {
  const grpc::Status authorized = secret_.Check(context->client_metadata());
  if (!authorized.ok()) return Refuse(*context, authorized);
  const ProcessStatus status = status_.Current();
  reply->set_processcount(status.process_count);
  reply->set_totalmemory(status.total_memory);
  reply->set_totaldata(status.total_data);
  reply->set_totalshared(status.total_shared);
  reply->set_totalresident(status.total_resident);
  reply->set_cpuuser(status.cpu_user);
  reply->set_cpusystem(status.cpu_system);
  reply->set_cpuidle(status.cpu_idle);
  reply->set_cpuiowait(status.cpu_iowait);
  reply->set_memtotal(status.mem_total);
  reply->set_memavailable(status.mem_available);
  reply->set_memfree(status.mem_free);
  reply->set_mempressuresomeavg10(status.mem_pressure_some_avg10);
  reply->set_mempressurefullavg10(status.mem_pressure_full_avg10);
  auto* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace sparkles
