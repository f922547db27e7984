// status and logs: what the Monitor of a worker tells, for people at a terminal.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "gcp/environment.h"
#include "monitor/client.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

constexpr char kSecretVariable[] = "SPARKLES_MONITOR_SECRET";
constexpr size_t kMaxKeyFile = 1 << 20;
constexpr int32_t kPieceBytes = 256 << 10;
constexpr absl::Duration kPollPeriod = absl::Milliseconds(500);
// How long a worker may be away while its task is followed,
constexpr absl::Duration kPatience = absl::Seconds(30);
// and how long a task may be without a log that has just been claimed.
constexpr absl::Duration kStartPatience = absl::Seconds(3);
// Processors are watched for that long.
constexpr absl::Duration kCpuPeriod = absl::Seconds(1);

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
  if (absl::IsNotFound(status)) {
    return WithMessage(status,
                       absl::StrCat(options.address, ": task ", PrintableText(options.task),
                                    " is not running here, and its log is not kept (any more)"));
  }
  return status;
}

double Percent(int64_t part, int64_t whole) {
  return whole <= 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string Bytes(int64_t bytes) { return HumanBytes(static_cast<double>(bytes)); }

std::string Pressure(int32_t hundredths) {
  return hundredths < 0 ? "unknown" : absl::StrFormat("%.2f%%", hundredths / 100.0);
}

// `before` is a little older.
std::string Format(const ProcessStatus& before, const ProcessStatus& now) {
  const int64_t user = now.cpu_user - before.cpu_user;
  const int64_t system = now.cpu_system - before.cpu_system;
  const int64_t iowait = now.cpu_iowait - before.cpu_iowait;
  const int64_t total = user + system + iowait + now.cpu_idle - before.cpu_idle;
  const int64_t used = now.mem_total - now.mem_available;
  return absl::StrCat(
      "processes        ", now.process_count, ", resident ", Bytes(now.total_resident),
      " (shared pages count in each: ", Bytes(now.total_shared), ")\n",
      absl::StrFormat("processors       user %.1f%%, system %.1f%%, waiting for disks %.1f%%\n",
                      Percent(user, total), Percent(system, total), Percent(iowait, total)),
      "memory           ", Bytes(used), " of ", Bytes(now.mem_total), " in use",
      absl::StrFormat(" (%.1f%%), ", Percent(used, now.mem_total)), Bytes(now.mem_free),
      " untouched\n", "memory pressure  some ", Pressure(now.mem_pressure_some_avg10), ", full ",
      Pressure(now.mem_pressure_full_avg10), " of the last 10 s\n");
}

absl::Status PrintStatus(MonitorClient& client) {
  ASSIGN_OR_RETURN(const ProcessStatus before, client.GetProcessStatus());
  CancelToken never;
  SystemClock().Sleep(kCpuPeriod, never);
  ASSIGN_OR_RETURN(const ProcessStatus now, client.GetProcessStatus());
  return WriteAll(STDOUT_FILENO, Format(before, now), "stdout");
}

// Prints a task's log, as far as it has come or, if it is followed, to its end.
class LogPrinter {
 public:
  LogPrinter(MonitorClient& client, const WatchOptions& options)
      : client_(client), options_(options) {}

  absl::Status Run() {
    while (true) {
      const auto piece = client_.ReadOutput(options_.task, offset_, kPieceBytes);
      if (!piece.ok()) {
        RETURN_IF_ERROR(Endure(piece.status()));
        continue;
      }
      seen_ = true;
      away_since_ = absl::InfiniteFuture();
      if (piece->was_cut) std::cerr << "sparklesworker logs: the command has cut its log\n";
      offset_ = piece->new_offset;
      RETURN_IF_ERROR(WriteAll(STDOUT_FILENO, piece->data, "stdout"));
      if (!piece->at_end || piece->was_cut) continue;
      if (!options_.follow || piece->complete) return absl::OkStatus();
      clock_.Sleep(kPollPeriod, never_);
    }
  }

 private:
  // Ok if it is worth trying again.
  absl::Status Endure(const absl::Status& error) {
    const bool may_pass = seen_ ? absl::IsUnavailable(error) : absl::IsNotFound(error);
    if (!options_.follow || !may_pass) return error;
    away_since_ = std::min(away_since_, clock_.Now());
    if (clock_.Now() - away_since_ > (seen_ ? kPatience : kStartPatience)) return error;
    clock_.Sleep(kPollPeriod, never_);
    return absl::OkStatus();
  }

  MonitorClient& client_;
  const WatchOptions& options_;
  SystemClock clock_;
  CancelToken never_;
  int64_t offset_ = 0;
  bool seen_ = false;  // the worker has answered
  absl::Time away_since_ = absl::InfiniteFuture();
};

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
  MonitorClient client(options.address, *certificate, *std::move(secret));
  const absl::Status done = Explain(body(client, options), options);
  return done.ok() ? kExitDone : fail(done, kExitFailed);
}

}  // namespace

int RunStatus(const WatchOptions& options) {
  return Watch("status", options,
               [](MonitorClient& client, const WatchOptions&) { return PrintStatus(client); });
}

int RunLogs(const WatchOptions& options) {
  return Watch("logs", options, [](MonitorClient& client, const WatchOptions& watch) {
    return LogPrinter(client, watch).Run();
  });
}

}  // namespace sparkles
