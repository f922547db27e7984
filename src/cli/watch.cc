// status and logs: what the Monitor of a worker tells, for people at a terminal.
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
constexpr absl::Duration kLookupPatience = absl::Seconds(5);

// `text` without the blanks and line ends that editors, echo and Windows put behind a secret.
absl::StatusOr<std::string> ParseSecret(absl::string_view text, absl::string_view source) {
  const absl::string_view secret = absl::StripTrailingAsciiWhitespace(text);
  if (secret.empty()) return absl::InvalidArgumentError(absl::StrCat(source, ": holds no secret"));
  if (MonitorClient::CanSend(secret)) return std::string(secret);
  return absl::InvalidArgumentError(absl::StrCat(
      source, ": the secret must be one line of ASCII letters, digits, signs and blanks"));
}

absl::StatusOr<std::string> FindSecret(const WatchOptions& options) {
  if (options.secret_file.empty()) {
    const std::string secret = ProcessEnvironment(kSecretVariable);
    if (!secret.empty()) return ParseSecret(secret, kSecretVariable);
    return absl::InvalidArgumentError(
        absl::StrCat("a secret is needed: --secretFile FILE, or ", kSecretVariable));
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(options.secret_file, kMaxKeyFile));
  return ParseSecret(text, options.secret_file);
}

absl::StatusOr<std::string> ReadCertificate(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxKeyFile));
  if (absl::StrContains(text, "-----BEGIN CERTIFICATE-----")) return text;
  return absl::InvalidArgumentError(absl::StrCat(path, ": not a certificate in PEM"));
}

// What the code means here, where gRPC's own words would not tell.
absl::Status Explain(const absl::Status& status, const WatchOptions& options) {
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
                                    " is not running here, and its log is not kept (any more)"));
  }
  return status;
}

// Whether gRPC takes a proxy from the environment.
bool HasProxy() {
  for (const char* variable : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    if (!ProcessEnvironment(variable).empty()) return true;
  }
  return false;
}

// The host's numeric addresses in gRPC's form, all of one family; empty if gRPC is to find the
// host. With a proxy gRPC needs its name: no_proxy may list it, or only the proxy may know it.
std::string TargetOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || address[0] == '[' || HasProxy()) return "";
  const HostAddresses found = LookUpHost(address.substr(0, colon), kLookupPatience, nullptr);
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
  const absl::Status done = Explain(body(client, options), options);
  return done.ok() ? kExitDone : fail(done, kExitFailed);
}

}  // namespace

int RunStatus(const WatchOptions& options) { return Watch("status", options, PrintStatus); }

int RunLogs(const WatchOptions& options) { return Watch("logs", options, PrintLog); }

}  // namespace sparkles
