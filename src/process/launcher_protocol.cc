#include "process/launcher_protocol.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "base/status.h"

namespace sparkles {
namespace {

struct FrameHeader {
  FrameKind kind;
  uint32_t size;
};

struct CommandHeader {
  uint32_t argument_count;
  uint32_t variable_count;
  uint32_t core_dumps;
  absl::Duration sweep_limit;
};

union FdMessage {
  cmsghdr alignment;
  char bytes[CMSG_SPACE(sizeof(int))];
};

void AttachFd(int fd, msghdr& message, FdMessage& control) {
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

UniqueFd AttachedFd(msghdr& message) {
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return UniqueFd();
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

// Reads exactly `size` bytes. A passed descriptor arrives with the first byte.
absl::Status ReceiveBytes(int socket, char* buffer, size_t size, UniqueFd* fd) {
  while (size > 0) {
    iovec part{buffer, size};
    FdMessage control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const ssize_t got = RetryOnEintr([&] { return recvmsg(socket, &message, MSG_CMSG_CLOEXEC); });
    if (got < 0) return ErrnoError(errno, "receive");
    if (got == 0) return absl::UnavailableError("receive: the other process closed the socket");
    UniqueFd attached = AttachedFd(message);
    if (attached.valid() && fd != nullptr) *fd = std::move(attached);
    buffer += got;
    size -= static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SendFrame(int socket, FrameKind kind, absl::string_view payload, int passed_fd) {
  FrameHeader header{kind, static_cast<uint32_t>(payload.size())};
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(payload.data()), payload.size()}};
  FdMessage control{};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  if (passed_fd >= 0) AttachFd(passed_fd, message, control);
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    const ssize_t sent = RetryOnEintr([&] { return sendmsg(socket, &message, MSG_NOSIGNAL); });
    if (sent < 0) return ErrnoError(errno, "send");
    // The descriptor was sent with the first byte and must not be sent again.
    message.msg_control = nullptr;
    message.msg_controllen = 0;
    size_t left = static_cast<size_t>(sent);
    for (iovec& part : parts) {
      const size_t done = std::min(left, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + done;
      part.iov_len -= done;
      left -= done;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Frame> ReceiveFrame(int socket) {
  FrameHeader header{};
  Frame frame;
  RETURN_IF_ERROR(ReceiveBytes(socket, reinterpret_cast<char*>(&header), sizeof header, &frame.fd));
  frame.kind = header.kind;
  frame.payload.resize(header.size);
  RETURN_IF_ERROR(ReceiveBytes(socket, frame.payload.data(), header.size, nullptr));
  return frame;
}

std::string EncodeCommand(const Command& command) {
  const CommandHeader header{static_cast<uint32_t>(command.argv.size()),
                             static_cast<uint32_t>(command.environment.size()),
                             command.core_dumps ? 1U : 0U, command.sweep_limit};
  std::string payload(BytesOf(header));
  const auto add = [&payload](const std::string& text) {
    payload += text;
    payload += '\0';
  };
  add(command.directory);
  for (const std::string& argument : command.argv) add(argument);
  for (const std::string& variable : command.environment) add(variable);
  return payload;
}

bool DecodeCommand(std::string& payload, CommandImage& image) {
  CommandHeader header{};
  if (payload.size() < sizeof header || payload.back() != '\0') return false;
  std::memcpy(&header, payload.data(), sizeof header);
  size_t position = sizeof header;
  bool complete = true;
  const auto take = [&]() -> char* {
    if (position >= payload.size()) {
      complete = false;
      return nullptr;
    }
    char* const text = payload.data() + position;
    position += std::strlen(text) + 1;
    return text;
  };
  image.core_dumps = header.core_dumps != 0;
  image.sweep_limit = header.sweep_limit;
  image.directory = take();
  for (uint32_t i = 0; complete && i < header.argument_count; ++i) image.argv.push_back(take());
  for (uint32_t i = 0; complete && i < header.variable_count; ++i) {
    image.environment.push_back(take());
  }
  image.argv.push_back(nullptr);
  image.environment.push_back(nullptr);
  return complete && header.argument_count > 0 && position == payload.size();
}

}  // namespace sparkles
