// The commands `status` and `logs`, which call the Monitor of a worker.
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/log_printer.h"
#include "cli/machine_report.h"
#include "gcp/environment.h"
#include "http/host_lookup.h"
#include "monitor/client.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

constexpr char kSecretVariable[] = "SPARKLES_MONITOR_SECRET";
constexpr size_t kMaxKeyFile = 1 << 20;
constexpr absl::Duration kLookupTimeout = absl::Seconds(5);

// Returns `text` without the blanks and line ends that editors, echo and Windows append.
absl::StatusOr<std::string> ParseSecret(absl::string_view text, absl::string_view source) {
  const absl::string_view secret = absl::StripTrailingAsciiWhitespace(text);
  if (secret.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": the secret is empty"));
  if (MonitorClient::CanSend(secret)) return std::string(secret);
  return absl::InvalidArgumentError(absl::StrCat(
      source, ": the secret must be one line of ASCII letters, digits, signs and blanks"));
}

absl::StatusOr<std::string> FindSecret(const WatchOptions& options) {
  if (options.secret_file.empty()) {
    const std::string secret = ProcessEnvironment(kSecretVariable);
    if (!secret.empty()) return ParseSecret(secret, kSecretVariable);
    return absl::InvalidArgumentError(
        absl::StrCat("the secret is missing: give --secretFile FILE, or set ", kSecretVariable));
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(options.secret_file, kMaxKeyFile));
  return ParseSecret(text, options.secret_file);
}

absl::StatusOr<std::string> ReadCertificate(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxKeyFile));
  if (absl::StrContains(text, "-----BEGIN CERTIFICATE-----")) return text;
  return absl::InvalidArgumentError(absl::StrCat(path, ": is not a certificate in PEM format"));
}

// Replaces gRPC's messages for some codes by the cause and the remedy.
absl::Status AddRemedy(const absl::Status& status, const WatchOptions& options) {
  if (absl::IsUnauthenticated(status)) {
    return WithMessage(status, absl::StrCat(options.address, ": the secret is not this worker's"));
  }
  if (absl::IsDeadlineExceeded(status)) {
    return WithMessage(
        status, absl::StrCat(options.address, ": nothing answered within ",
                             absl::FormatDuration(MonitorClient::kTimeout),
                             "; check that a worker runs there and that this is its --port"));
  }
  if (absl::IsNotFound(status)) {
    return WithMessage(status,
                       absl::StrCat(options.address, ": task ", PrintableText(options.task),
                                    " is not running here, and its log is not kept; read the log "
                                    "at the task's stdout_url"));
  }
  return status;
}

// True if gRPC uses a proxy from the environment.
bool HasProxy() {
  for (const char* variable : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    if (!ProcessEnvironment(variable).empty()) return true;
  }
  return false;
}

// The host's numeric addresses in gRPC's format, all of one family. Empty if gRPC must resolve the
// host. With a proxy gRPC needs the host's name, because no_proxy may list the name, or only the
// proxy can resolve it.
std::string TargetOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || address[0] == '[' || HasProxy()) return "";
  const HostAddresses found = LookUpHost(address.substr(0, colon), kLookupTimeout, nullptr);
  if (found.ips.empty()) return "";
  const bool ipv6 = absl::StrContains(found.ips.front(), ':');
  std::vector<std::string> peers;
  for (const std::string& ip : found.ips) {
    if (absl::StrContains(ip, ':') != ipv6) continue;
    peers.push_back(absl::StrCat(ipv6 ? "[" : "", ip, ipv6 ? "]" : "", address.substr(colon)));
  }
  return absl::StrCat(ipv6 ? "ipv6:" : "ipv4:", absl::StrJoin(peers, ","));
}

absl::Status PrintStatus(MonitorClient& client, const WatchOptions&) {
  SystemClock clock;
  ASSIGN_OR_RETURN(const std::string report,
                   DescribeMachine([&client] { return client.GetProcessStatus(); }, clock));
  return WriteAll(STDOUT_FILENO, report, "stdout");
}

absl::Status PrintLog(MonitorClient& client, const WatchOptions& options) {
  SystemClock clock;
  const auto read = [&](int64_t offset, int32_t size) {
    return client.ReadOutput(options.task, offset, size);
  };
  return LogPrinter(options.address, options.follow, read, clock, STDOUT_FILENO).Run();
}

int Watch(absl::string_view command, const WatchOptions& options,
          absl::Status (*body)(MonitorClient& client, const WatchOptions& options)) {
  const auto fail = [&](const absl::Status& status, int code) {
    std::cerr << "sparklesworker " << command << ": " << status.message() << "\n";
    return code;
  };
  auto secret = FindSecret(options);
  if (!secret.ok()) return fail(secret.status(), kExitUsage);
  const auto certificate = ReadCertificate(options.cert_file);
  if (!certificate.ok()) return fail(certificate.status(), kExitUsage);
  MonitorClient client(options.address, *certificate, *std::move(secret),
                       TargetOf(options.address));
  const absl::Status done = AddRemedy(body(client, options), options);
  return done.ok() ? kExitDone : fail(done, kExitFailed);
}

}  // namespace

int RunStatus(const WatchOptions& options) { return Watch("status", options, PrintStatus); }

int RunLogs(const WatchOptions& options) { return Watch("logs", options, PrintLog); }

}  // namespace sparkles
