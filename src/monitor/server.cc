#include "monitor/server.h"

#include <fcntl.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <sys/resource.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "base/thread.h"
#include "monitor/auth.h"
#include "monitor/key_pair.h"
#include "monitor/reflection.h"
#include "monitor/service.h"

namespace sparkles {
namespace {

// Of buffers that gRPC counts.
constexpr size_t kMemory = 64 << 20;
// Requests are some hundred bytes long.
constexpr int kMaxRequest = 64 << 10;
constexpr int kMaxMetadata = 8 << 10;
// Calls at a time on one connection. Clients queue what is more.
constexpr int kMaxStreams = 16;
constexpr int kHandshakeMilliseconds = 10'000;
// Clients ask every second, and connect again when they need to.
constexpr int kIdleMilliseconds = 60'000;
// Bounds what a connection may have sent in all (TrafficLimits). Clients connect again unnoticed.
constexpr int kAgeMilliseconds = 300'000;
constexpr int kAgeGraceMilliseconds = 10'000;
// Who does not answer a ping after that time is gone.
constexpr int kPingMilliseconds = 60'000;
constexpr int kPingTimeoutMilliseconds = 20'000;
// How long an orderly end may take: the worker has to go.
constexpr auto kEnd = std::chrono::milliseconds(200);
// Weight of our threads against the task's: a tenth, if it wants all processors.
constexpr int kNiceness = 10;

// Of the calling thread and those that it starts. Best effort.
void BeNice() {
  errno = 0;
  const int now = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) (void)setpriority(PRIO_PROCESS, 0, std::min(now + kNiceness, 19));
}

// gRPC reports each broken handshake on stderr; anybody can make those. What we need to know of its
// errors its functions return.
void SilenceGrpc() {
  if (std::getenv("GRPC_VERBOSITY") != nullptr) return;  // NOLINT(concurrency-mt-unsafe)
  gpr_set_log_function([](gpr_log_func_args*) {});
}

void SetLimits(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("monitor");
  quota.Resize(kMemory);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxRequest);
  // A message of 64 KiB can become one of 64 MiB; there is no limit but for what is sent.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadata);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kAgeMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kAgeGraceMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // windows that grow on demand
}

}  // namespace

// Destroyed from the last to the first: no more connections, no more calls, the services.
class MonitorServer::Parts {
 public:
  Parts(const MonitorKeys& keys, MonitorOptions options, OutputTable& outputs, Clock& clock)
      : keys_(keys),
        options_(std::move(options)),
        secret_(keys.shared_secret),
        service_(secret_, outputs, clock, options_.proc_root),
        reflection_(secret_) {}

  ~Parts() {
    listener_.reset();
    if (server_) server_->Shutdown(std::chrono::system_clock::now() + kEnd);
  }

  absl::Status Start() {
    if (keys_.shared_secret.empty()) {
      return absl::FailedPreconditionError("the shared secret is empty");
    }
    RETURN_IF_ERROR(CheckKeyPair(keys_.certificate, keys_.private_key));
    // gRPC throws where there is no source of random numbers.
    RETURN_IF_ERROR(OpenFile("/dev/urandom", O_RDONLY).status());
    ASSIGN_OR_RETURN(UniqueFd socket, ListenOn(options_.port));
    port_ = PortOf(socket.get());
    SilenceGrpc();
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back({keys_.private_key, keys_.certificate});
    const auto credentials = grpc::SslServerCredentials(tls);
    grpc::ServerBuilder builder;
    SetLimits(builder);
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
    builder.RegisterService(&service_);
    builder.RegisterService(&reflection_);
    server_ = builder.BuildAndStart();
    if (!server_) return absl::InternalError("gRPC does not start");
    listener_ = std::make_unique<Listener>(std::move(socket), options_.limits, [this](UniqueFd fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.fd = fd.release();
      acceptor_->HandleNewConnection(&connection);
    });
    return absl::OkStatus();
  }

  int port() const { return port_; }

 private:
  const MonitorKeys& keys_;  // only until Start is over
  const MonitorOptions options_;
  int port_ = 0;
  const SecretCheck secret_;
  MonitorService service_;
  ReflectionService reflection_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Listener> listener_;
};

MonitorServer::MonitorServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
MonitorServer::~MonitorServer() = default;

int MonitorServer::port() const { return parts_->port(); }

absl::StatusOr<std::unique_ptr<MonitorServer>> MonitorServer::Start(const MonitorKeys& keys,
                                                                    const MonitorOptions& options,
                                                                    OutputTable& outputs,
                                                                    Clock& clock) {
  auto parts = std::make_unique<Parts>(keys, options, outputs, clock);
  absl::Status status;
  // A thread that is nice, and makes all others.
  auto starter = StartThread("monitor-start", [&] {
    BeNice();
    try {
      status = parts->Start();
    } catch (const std::exception& error) {  // no thread, no memory, no random numbers
      status = absl::ResourceExhaustedError(error.what());
    }
  });
  RETURN_IF_ERROR(starter.status());
  starter->join();
  RETURN_IF_ERROR(status);
  return std::unique_ptr<MonitorServer>(new MonitorServer(std::move(parts)));
}

}  // namespace sparkles
