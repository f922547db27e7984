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

// Time for a server to answer before the next one is asked. It doubles with each round over all
// servers. A later answer still counts.
constexpr int kFirstTryMilliseconds = 700;
constexpr int kRounds = 3;
// Wait for the other family after one family has an address.
constexpr absl::Duration kGrace = absl::Milliseconds(300);
// Upper limit on the use of addresses, and the limit if only one family was answered.
constexpr absl::Duration kLongestUse = absl::Seconds(60);
constexpr absl::Duration kShortUse = absl::Seconds(5);
// Interval at which cancellation is checked: the token has no descriptor to poll.
constexpr absl::Duration kCancelPoll = absl::Milliseconds(100);
// If this file is missing, c-ares asks a server on this machine.
constexpr char kResolverFile[] = "/etc/resolv.conf";

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
  options.timeout = kFirstTryMilliseconds;
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
  bool known = false;  // the servers answered, perhaps that there are no addresses
  std::string name;    // the host's, with the search domain where it was found
  std::vector<std::string> ips;
  absl::Duration valid_for = kLongestUse;
};

void TakeAnswer(void* argument, int status, int, ares_addrinfo* found) {
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

// The two halves of a question, asked at once.
class Question {
 public:
  Question(Channel channel, const std::string& host) : channel_(std::move(channel)) {
    Ask(host, AF_INET, v4_);
    Ask(host, AF_INET6, v6_);
  }

  // Waits until both answers have come or time is over.
  void Wait(absl::Duration patience, const CancelToken* cancel) {
    Steady::time_point end = Steady::now() + absl::ToChronoNanoseconds(patience);
    bool has_address = false;
    while (!(v4_.ended && v6_.ended) && (cancel == nullptr || !cancel->cancelled())) {
      const Steady::time_point now = Steady::now();
      if (!has_address && !(v4_.ips.empty() && v6_.ips.empty())) {
        has_address = true;
        end = std::min(end, now + absl::ToChronoNanoseconds(kGrace));
      }
      if (now >= end) return;
      HandleEvents(absl::FromChrono(end - now), cancel);
    }
  }

  HostAddresses Addresses() && {
    HostAddresses found;
    // Two search domains may have a host of this name each.
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
  void Ask(const std::string& host, int family, Answer& answer) {
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NOSORT;  // servers spread the load by their order
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_.get(), host.c_str(), nullptr, &hints, TakeAnswer, &answer);
  }

  // Handles the next event: a packet, the next try, cancellation, or the end of `longest`.
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
    // Without sockets c-ares looks for tries that have timed out.
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
  Channel channel_;  // destroyed first: it ends open questions by TakeAnswer
};

// Empty if the file does not have the host. An entry of one family hides the other family.
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

// libcurl knows these names itself; servers must not be asked for them (RFC 6761, section 6.3).
bool IsLocalhost(const std::string& host) {
  const std::string name = absl::AsciiStrToLower(host);
  return name == "localhost" || absl::EndsWith(name, ".localhost");
}

}  // namespace

HostAddresses LookUpHost(const std::string& host, absl::Duration patience,
                         const CancelToken* cancel) {
  if (host.empty() || IsIpAddress(host) || IsLocalhost(host)) return {};
  Channel channel = MakeChannel();
  if (channel == nullptr) return {};
  std::vector<std::string> ips = FindInHostsFile(channel.get(), host);
  if (!ips.empty()) return {std::move(ips), kShortUse};
  if (access(kResolverFile, R_OK) != 0) return {};
  Question question(std::move(channel), host);
  question.Wait(patience, cancel);
  return std::move(question).Addresses();
}

std::string HostLookupVersion() { return absl::StrCat("c-ares/", ares_version(nullptr)); }

}  // namespace sparkles
