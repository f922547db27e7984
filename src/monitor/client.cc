#include "monitor/client.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "monitor.grpc.pb.h"
#include "monitor/auth.h"
#include "monitor/reply_budget.h"
#include "monitor/service.h"

namespace sparkles {
namespace {

// Longest accepted reply. This worker sends at most 1 MiB of data, but the Go worker has no limit.
constexpr int kMaxMessage = 4 << 20;

std::shared_ptr<grpc::Channel> Connect(const std::string& target, const std::string& certificate) {
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {     // NOLINT(concurrency-mt-unsafe)
    gpr_set_log_function([](gpr_log_func_args*) {});  // the call's status has the error
  }
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = certificate;
  grpc::ChannelArguments arguments;
  // The certificate of each cluster has this name.
  arguments.SetSslTargetNameOverride("sparkles.server");
  arguments.SetMaxReceiveMessageSize(kMaxMessage);
  return grpc::CreateCustomChannel(target, grpc::SslCredentials(tls), arguments);
}

void Prepare(grpc::ClientContext& context, const std::string& secret) {
  context.AddMetadata(kSecretKey, secret);
  context.set_deadline(absl::ToChronoTime(absl::Now() + MonitorClient::kTimeout));
}

absl::Status ToStatus(const grpc::Status& status, const std::string& address) {
  // Abseil and gRPC use the same numbers.
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(address, ": ", status.error_message()));
}

}  // namespace

// Keeps gRPC out of the header.
class MonitorClient::Stub {
 public:
  explicit Stub(const std::shared_ptr<grpc::Channel>& channel)
      : monitor_(::Monitor::NewStub(channel)) {}
  ::Monitor::Stub* operator->() const { return monitor_.get(); }

 private:
  const std::unique_ptr<::Monitor::Stub> monitor_;
};

bool MonitorClient::CanSend(absl::string_view secret) {
  return std::all_of(secret.begin(), secret.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

MonitorClient::MonitorClient(std::string address, const std::string& certificate,
                             std::string secret, const std::string& target)
    : address_(std::move(address)),
      secret_(std::move(secret)),
      stub_(std::make_unique<Stub>(Connect(target.empty() ? address_ : target, certificate))) {}

MonitorClient::~MonitorClient() = default;

absl::StatusOr<OutputPiece> MonitorClient::ReadOutput(const std::string& task_id, int64_t offset,
                                                      int32_t size) {
  grpc::ClientContext context;
  Prepare(context, secret_);
  ReadOutputRequest request;
  request.set_taskid(task_id);
  request.set_offset(offset);
  request.set_size(size);
  ReadOutputReply reply;
  const grpc::Status status = (*stub_)->ReadOutput(&context, request, &reply);
  if (!status.ok()) return ToStatus(status, address_);
  OutputPiece piece;
  const auto& trailer = context.GetServerTrailingMetadata();
  piece.data = std::move(*reply.mutable_data());
  piece.at_end = reply.endoffile();
  piece.complete = trailer.count(kLogIsCompleteKey) > 0;
  piece.was_cut = trailer.count(kLogWasCutKey) > 0;
  // The Go worker does not send newOffset.
  piece.new_offset = piece.was_cut ? 0 : offset + static_cast<int64_t>(piece.data.size());
  return piece;
}

absl::StatusOr<ProcessStatus> MonitorClient::GetProcessStatus() {
  grpc::ClientContext context;
  Prepare(context, secret_);
  GetProcessStatusReply reply;
  const grpc::Status called = (*stub_)->GetProcessStatus(&context, {}, &reply);
  if (!called.ok()) return ToStatus(called, address_);
  ProcessStatus status;
  status.process_count = reply.processcount();
  status.total_memory = reply.totalmemory();
  status.total_data = reply.totaldata();
  status.total_shared = reply.totalshared();
  status.total_resident = reply.totalresident();
  status.cpu_user = reply.cpuuser();
  status.cpu_system = reply.cpusystem();
  status.cpu_idle = reply.cpuidle();
  status.cpu_iowait = reply.cpuiowait();
  status.mem_total = reply.memtotal();
  status.mem_available = reply.memavailable();
  status.mem_free = reply.memfree();
  status.mem_pressure_some_avg10 = reply.mempressuresomeavg10();
  status.mem_pressure_full_avg10 = reply.mempressurefullavg10();
  return status;
}

}  // namespace sparkles
