#include "slots/slot_channel.h"

#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"

namespace sparkles {
namespace {

// A message is its kind, the first text, a NUL, and the second text. Task ids and paths, which have
// no NUL, are shorter than this together.
constexpr size_t kMaxMessage = 16 << 10;

constexpr absl::string_view kKinds = "SPHDMLEO";

}  // namespace

absl::StatusOr<std::pair<UniqueFd, UniqueFd>> SlotChannel::MakePair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoError(errno, "socketpair for a slot");
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

absl::Status SlotChannel::Send(const SlotMessage& message) const {
  const std::string bytes = absl::StrCat(std::string(1, static_cast<char>(message.kind)),
                                         message.first, std::string(1, '\0'), message.second);
  if (bytes.size() > kMaxMessage) return absl::InvalidArgumentError("a message is too long");
  const ssize_t sent = RetryOnEintr(
      [&] { return send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
  return sent < 0 ? ErrnoError(errno, "message to another process of the worker")
                  : absl::OkStatus();
}

absl::StatusOr<std::optional<SlotMessage>> SlotChannel::Receive() const {
  std::string bytes(kMaxMessage, '\0');
  const auto receive = [&] {
    return recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  };
  ssize_t got = RetryOnEintr(receive);
  // The other process has ended without reading all messages. The kernel says so once, before the
  // messages that this process can still read.
  if (got < 0 && errno == ECONNRESET) got = RetryOnEintr(receive);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  if (got <= 0) return absl::UnavailableError("the other process has ended");
  bytes.resize(static_cast<size_t>(got));
  const size_t nul = bytes.find('\0');
  if (kKinds.find(bytes[0]) == absl::string_view::npos || nul == std::string::npos) {
    return std::nullopt;
  }
  return SlotMessage{static_cast<SlotMessage::Kind>(bytes[0]), bytes.substr(1, nul - 1),
                     bytes.substr(nul + 1)};
}

}  // namespace sparkles
