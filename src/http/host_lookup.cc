#include "http/host_lookup.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "http/ip_address.h"

namespace sparkles {
namespace {

using Steady = std::chrono::steady_clock;

// Timeout after which the next server is asked. It doubles with each round over all servers. A late
// answer still counts.
constexpr int kFirstTimeoutMilliseconds = 700;
constexpr int kRounds = 3;
// Longest wait for the other family after one family has an address.
constexpr absl::Duration kOtherFamilyWait = absl::Milliseconds(300);
// Limits on how long addresses are used. The short one applies if only one family was answered.
constexpr absl::Duration kMaxUse = absl::Seconds(60);
constexpr absl::Duration kShortUse = absl::Seconds(5);
// Interval at which cancellation is checked: the token has no descriptor to poll.
constexpr absl::Duration kCancelPoll = absl::Milliseconds(100);
// If this file is missing, c-ares asks a server on this machine.
constexpr char kResolvConf[] = "/etc/resolv.conf";

struct ChannelDeleter {
  void operator()(ares_channel channel) const { ares_destroy(channel); }
};
using Channel = std::unique_ptr<ares_channeldata, ChannelDeleter>;

struct HostDeleter {
  void operator()(hostent* host) const { ares_free_hostent(host); }
};
using HostEntry = std::unique_ptr<hostent, HostDeleter>;

Channel MakeChannel() {
  char dns_only[] = "b";
  ares_options options{};
  options.timeout = kFirstTimeoutMilliseconds;
  options.tries = kRounds;
  options.lookups = dns_only;
  ares_channel channel = nullptr;
  const int made =
      ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS);
  return Channel(made == ARES_SUCCESS ? channel : nullptr);
}

std::string ToText(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* written = inet_ntop(family, address, text.data(), text.size());
  return written == nullptr ? "" : written;
}

// The answer for one family (IPv4 or IPv6).
struct Answer {
  bool ended = false;
  bool known = false;  // a server has answered, perhaps without addresses
  std::string name;    // the host's full name, with the search domain
  std::vector<std::string> ips;
  absl::Duration valid_for = kMaxUse;
};

void OnAnswer(void* argument, int status, int, ares_addrinfo* found) {
  Answer& answer = *static_cast<Answer*>(argument);
  answer.ended = true;
  answer.known = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
  if (found == nullptr) return;
  if (found->name != nullptr) answer.name = found->name;
  for (const ares_addrinfo_node* node = found->nodes; node != nullptr; node = node->ai_next) {
    const void* address = nullptr;
    if (node->ai_family == AF_INET) {
      address = &reinterpret_cast<const sockaddr_in*>(node->ai_addr)->sin_addr;
    } else {
      address = &reinterpret_cast<const sockaddr_in6*>(node->ai_addr)->sin6_addr;
    }
    answer.ips.push_back(ToText(node->ai_family, address));
    answer.valid_for = std::min(answer.valid_for, absl::Seconds(node->ai_ttl));
  }
  ares_freeaddrinfo(found);
}

// Queries for IPv4 and IPv6 addresses at the same time.
class DnsQuery {
 public:
  DnsQuery(Channel channel, const std::string& host) : channel_(std::move(channel)) {
    Send(host, AF_INET, v4_);
    Send(host, AF_INET6, v6_);
  }

  // Waits until both answers have arrived, `timeout` has passed, or `cancel` is cancelled.
  void Wait(absl::Duration timeout, const CancelToken* cancel) {
    Steady::time_point end = Steady::now() + absl::ToChronoNanoseconds(timeout);
    bool has_address = false;
    while (!(v4_.ended && v6_.ended) && (cancel == nullptr || !cancel->cancelled())) {
      const Steady::time_point now = Steady::now();
      if (!has_address && !(v4_.ips.empty() && v6_.ips.empty())) {
        has_address = true;
        end = std::min(end, now + absl::ToChronoNanoseconds(kOtherFamilyWait));
      }
      if (now >= end) return;
      HandleEvents(absl::FromChrono(end - now), cancel);
    }
  }

  HostAddresses Addresses() && {
    HostAddresses found;
    // The families may come from different search domains, and thus from different hosts.
    if (!v4_.ips.empty() && !absl::EqualsIgnoreCase(v4_.name, v6_.name)) v6_.ips.clear();
    const bool v6_first = !v6_.ips.empty() && HasRouteTo(v6_.ips.front());
    Answer& first = v6_first ? v6_ : v4_;
    Answer& second = v6_first ? v4_ : v6_;
    found.ips = std::move(first.ips);
    std::move(second.ips.begin(), second.ips.end(), std::back_inserter(found.ips));
    const bool whole = v4_.known && v6_.known;
    found.valid_for = std::max(std::min(v4_.valid_for, v6_.valid_for), absl::Seconds(1));
    if (!whole) found.valid_for = std::min(found.valid_for, kShortUse);
    return found;
  }

 private:
  void Send(const std::string& host, int family, Answer& answer) {
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NOSORT;  // servers spread the load by their order
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_.get(), host.c_str(), nullptr, &hints, OnAnswer, &answer);
  }

  // Waits for the next event and handles it: a packet, a timeout of c-ares, cancellation, or the
  // end of `longest`.
  void HandleEvents(absl::Duration longest, const CancelToken* cancel) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int wanted = ares_getsock(channel_.get(), sockets.data(), ARES_GETSOCK_MAXNUM);
    std::array<pollfd, ARES_GETSOCK_MAXNUM + 1> polled{};
    nfds_t count = 0;
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      const bool reads = ARES_GETSOCK_READABLE(wanted, i) != 0;
      const bool writes = ARES_GETSOCK_WRITABLE(wanted, i) != 0;
      if (!reads && !writes) continue;
      polled[count].fd = sockets[static_cast<size_t>(i)];
      polled[count].events = static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
      ++count;
    }
    const nfds_t asked = count;
    if (cancel != nullptr && cancel->fd() >= 0) {
      polled[count++] = {cancel->fd(), POLLIN, 0};
    } else if (cancel != nullptr) {
      longest = std::min(longest, kCancelPoll);
    }
    timeval limit = absl::ToTimeval(longest);
    timeval next{};
    const timeval* wait = ares_timeout(channel_.get(), &limit, &next);
    const absl::Duration until =
        absl::Ceil(absl::DurationFromTimeval(*wait), absl::Milliseconds(1));
    (void)poll(polled.data(), count, static_cast<int>(absl::ToInt64Milliseconds(until)));
    // A call without sockets makes c-ares handle its timeouts.
    ares_process_fd(channel_.get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (nfds_t i = 0; i < asked; ++i) {
      const bool reads = (polled[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      const bool writes = (polled[i].revents & POLLOUT) != 0;
      ares_process_fd(channel_.get(), reads ? polled[i].fd : ARES_SOCKET_BAD,
                      writes ? polled[i].fd : ARES_SOCKET_BAD);
    }
  }

  Answer v4_;
  Answer v6_;
  Channel channel_;  // destroyed first, because this calls OnAnswer for open queries
};

// The addresses of `host` in /etc/hosts, or empty. If the file has an address of one family, the
// name servers are not asked for the other.
std::vector<std::string> FindInHostsFile(ares_channel channel, const std::string& host) {
  std::vector<std::string> ips;
  for (const int family : {AF_INET, AF_INET6}) {
    hostent* found = nullptr;
    const int status = ares_gethostbyname_file(channel, host.c_str(), family, &found);
    const HostEntry entry(found);
    if (status != ARES_SUCCESS || entry == nullptr || entry->h_addrtype != family) continue;
    for (char** address = entry->h_addr_list; *address != nullptr; ++address) {
      ips.push_back(ToText(family, *address));
    }
  }
  return ips;
}

// libcurl resolves these names itself. RFC 6761, section 6.3, forbids to ask servers for them.
bool IsLocalhost(const std::string& host) {
  const std::string name = absl::AsciiStrToLower(host);
  return name == "localhost" || absl::EndsWith(name, ".localhost");
}

}  // namespace

HostAddresses LookUpHost(const std::string& host, absl::Duration timeout,
                         const CancelToken* cancel) {
  if (host.empty() || IsIpAddress(host) || IsLocalhost(host)) return {};
  Channel channel = MakeChannel();
  if (channel == nullptr) return {};
  std::vector<std::string> ips = FindInHostsFile(channel.get(), host);
  if (!ips.empty()) return {std::move(ips), kShortUse};
  if (access(kResolvConf, R_OK) != 0) return {};
  DnsQuery query(std::move(channel), host);
  query.Wait(timeout, cancel);
  return std::move(query).Addresses();
}

std::string HostLookupVersion() { return absl::StrCat("c-ares/", ares_version(nullptr)); }

}  // namespace sparkles
