// What the worker and its launcher say to each other: frames over a stream socket, which may carry
// one descriptor. Both ends are the same program on the same machine, so numbers and plain structs
// travel as they lie in memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"
#include "process/process_runner.h"

namespace sparkles {

enum class FrameKind : uint32_t {
  // To the launcher.
  kRun,        // run a command: EncodeCommand; the descriptor is its output
  kHold,       // keep the descriptor open
  kTerminate,  // send TERM to the command's group; nothing happens if there is no command
  kKill,       // the same with KILL
  // To the worker, one for each kRun.
  kEnded,       // CommandExit
  kNotStarted,  // StartFailure
};

struct Frame {
  FrameKind kind = FrameKind::kRun;
  std::string payload;
  UniqueFd fd;  // none if there was none, or if the receiver had no room for another descriptor
};

// The system call that kept a command from being started, with its errno.
struct StartFailure {
  enum class FailedCall : int { kFork, kChdir, kExec };
  FailedCall call = FailedCall::kFork;
  int error = 0;
};

// Sends one frame, with a duplicate of `passed_fd` unless that is -1. Blocks until it is sent.
absl::Status SendFrame(int socket, FrameKind kind, absl::string_view payload, int passed_fd = -1);

// Blocks until a whole frame is there. Unavailable once the other side has closed or died.
absl::StatusOr<Frame> ReceiveFrame(int socket);

// A command as the kernel wants it. The pointers point into the payload that it was decoded from.
struct CommandImage {
  const char* folder = nullptr;
  std::vector<char*> argv;  // ends with a null pointer, as the next one does
  std::vector<char*> environment;
  bool core_dumps = false;
  absl::Duration sweep_limit;
};

// `command` must have passed CheckCommand. Its output_fd and grace are not part of the payload.
std::string EncodeCommand(const Command& command);
// False if `payload` is not of EncodeCommand.
bool DecodeCommand(std::string& payload, CommandImage& image);

template <typename T>
absl::string_view BytesOf(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// False if `payload` is not as long as a T.
template <typename T>
bool CopyBytes(absl::string_view payload, T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (payload.size() != sizeof value) return false;
  std::memcpy(&value, payload.data(), sizeof value);
  return true;
}

}  // namespace sparkles
