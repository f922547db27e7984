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

// Limit of the buffers that gRPC counts.
constexpr size_t kMemory = 64 << 20;
// Requests are some hundred bytes long.
constexpr int kMaxRequest = 64 << 10;
constexpr int kMaxMetadata = 8 << 10;
// Simultaneous calls on one connection. Clients queue further calls.
constexpr int kMaxStreams = 16;
constexpr int kHandshakeMilliseconds = 10'000;
// Clients call every second, and reconnect when necessary.
constexpr int kIdleMilliseconds = 60'000;
// Limits the sum of what a connection may send (TrafficLimits). Clients reconnect by themselves.
constexpr int kAgeMilliseconds = 300'000;
constexpr int kAgeGraceMilliseconds = 10'000;
// A connection without an answer to a ping is closed.
constexpr int kPingMilliseconds = 60'000;
constexpr int kPingTimeoutMilliseconds = 20'000;
// Time for running calls to end when the worker exits.
constexpr auto kEnd = std::chrono::milliseconds(200);
// With this niceness the Monitor gets about a tenth of a processor that the task also wants.
constexpr int kNiceness = 10;

// Lowers the priority of the calling thread and of the threads that it starts. Ignores errors.
void LowerPriority() {
  errno = 0;
  const int now = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) (void)setpriority(PRIO_PROCESS, 0, std::min(now + kNiceness, 19));
}

// gRPC prints each failed handshake to stderr, and any client can cause those. Errors that matter
// are in the results of gRPC's functions.
void SilenceGrpc() {
  if (std::getenv("GRPC_VERBOSITY") != nullptr) return;  // NOLINT(concurrency-mt-unsafe)
  gpr_set_log_function([](gpr_log_func_args*) {});
}

void SetLimits(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("monitor");
  quota.Resize(kMemory);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxRequest);
  // A compressed message of 64 KiB can expand to 64 MiB, and the size limit applies only to the
  // compressed message.
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
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // keeps windows from growing
}

}  // namespace

// Owns all parts. The destructor first ends the accepting of connections, then the calls, and then
// the services.
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
    // gRPC throws if there is no source of random numbers.
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
    if (!server_) return absl::InternalError("gRPC cannot start the server");
    listener_ = std::make_unique<Listener>(std::move(socket), options_.limits, [this](UniqueFd fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.fd = fd.release();
      acceptor_->HandleNewConnection(&connection);
    });
    return absl::OkStatus();
  }

  int port() const { return port_; }

 private:
  const MonitorKeys& keys_;  // used only during Start
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
  // The threads of gRPC inherit the priority of this thread, which starts them.
  auto starter = StartThread("monitor-start", [&] {
    LowerPriority();
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
