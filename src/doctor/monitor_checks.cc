#include "doctor/monitor_checks.h"

#include <poll.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/fd.h"
#include "base/status.h"
#include "doctor/tcp_connect.h"
#include "monitor/health_server.h"
#include "monitor/key_pair.h"
#include "monitor/listener.h"

namespace sparkles {
namespace {

constexpr char kKeys[] = "Monitor keys";
constexpr char kNewKeys[] =
    "remove the entity ClusterKeys/sparklespray from Datastore, then submit a job with sparkles, "
    "which makes new keys";
// Old certificates are reported this long before their end.
constexpr absl::Duration kEndsSoon = absl::Hours(7 * 24);
constexpr absl::Duration kConnectLimit = absl::Milliseconds(1500);
// How long a connection may take from its client's side to this side.
constexpr int kArrivalMilliseconds = 300;

// True if a client has connected to the listening socket.
bool HasConnection(const UniqueFd& listener) {
  pollfd polled = {listener.get(), POLLIN, 0};
  return poll(&polled, 1, kArrivalMilliseconds) == 1;
}

std::string Day(absl::Time time) { return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()); }

std::string PortRemedy(const absl::Status& error, absl::string_view flag) {
  if (ErrnoOf(error) == EACCES) {
    return absl::StrCat("set ", flag, " to 1024 or more: only root may use a lower port");
  }
  if (ErrnoOf(error) == EADDRNOTAVAIL || absl::IsInvalidArgument(error)) {
    return "set --healthAddress to a numeric address of this machine";
  }
  return absl::StrCat("end the program that uses the port (ss -ltnp shows it), or set another ",
                      flag);
}

}  // namespace

void CheckClusterKeys(const std::function<absl::StatusOr<MonitorKeys>()>& read_keys, absl::Time now,
                      Findings& findings) {
  const absl::StatusOr<MonitorKeys> keys = read_keys();
  if (absl::IsNotFound(keys.status())) {
    return findings.Fail(kKeys, keys.status().message(),
                         "submit a job with sparkles, which makes the keys, and check --projectId");
  }
  if (absl::IsFailedPrecondition(keys.status())) {
    return findings.Fail(kKeys, keys.status().message(), kNewKeys);
  }
  if (!keys.ok()) {
    return findings.Fail(kKeys, keys.status().message(), "see the finding about Datastore");
  }
  const absl::Status pair = CheckKeyPair(keys->certificate, keys->private_key);
  if (!pair.ok()) return findings.Fail(kKeys, pair.message(), kNewKeys);
  const absl::StatusOr<CertificateDates> dates = ReadCertificateDates(keys->certificate);
  if (!dates.ok()) return findings.Fail(kKeys, dates.status().message(), kNewKeys);
  if (now < dates->begin) {
    return findings.Fail(kKeys,
                         absl::StrCat("the certificate is not valid before ", Day(dates->begin)),
                         "check the clock of this machine");
  }
  if (now >= dates->end) {
    return findings.Fail(kKeys, absl::StrCat("the certificate has expired on ", Day(dates->end)),
                         kNewKeys);
  }
  const std::string text = absl::StrCat("certificate and key match; valid until ", Day(dates->end));
  if (now + kEndsSoon >= dates->end) return findings.Warn(kKeys, text, kNewKeys);
  findings.Ok(kKeys, text);
}

void CheckMonitorPort(int port, const std::function<std::string()>& find_address,
                      const CancelToken& cancel, Findings& findings) {
  const std::string thing = absl::StrCat("--port ", port);
  const absl::StatusOr<UniqueFd> listener = ListenOn(port);
  if (!listener.ok()) {
    absl::string_view reason = listener.status().message();
    absl::ConsumePrefix(&reason, absl::StrCat("port ", port, ": "));
    return findings.Fail(thing, reason, PortRemedy(listener.status(), "--port"));
  }
  findings.Ok(thing, "the port is free");
  const std::string address = find_address();
  const std::string outside = thing + " from outside";
  if (address.empty()) return findings.Skip(outside, "the address of this machine is unknown");
  // Google's firewall also filters what a VM sends to its own external address. Something else on
  // the way may accept the connection.
  if (TimeConnect(address, port, kConnectLimit, cancel).ok() && HasConnection(*listener)) {
    return findings.Ok(outside, absl::StrCat("a connection to ", address, " arrives"));
  }
  findings.Skip(
      outside,
      absl::StrCat("a connection from here to ", address,
                   " does not arrive, which proves nothing; the firewall must allow tcp:", port));
}

void CheckHealthPort(const std::string& address, int port, Findings& findings) {
  const std::string thing = absl::StrCat("--healthPort ", port);
  const auto server =
      HealthServer::Start(address, port, [](absl::string_view) { return HealthAnswer{}; });
  if (server.ok()) return findings.Ok(thing, "the port is free");
  findings.Fail(thing, server.status().message(), PortRemedy(server.status(), "--healthPort"));
}

}  // namespace sparkles
