// The protocol between the worker and its launcher: frames over a stream socket. A frame may carry
// one descriptor. Both ends run the same program, so plain structs are sent as they are in memory.
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
  kRun,        // run the command of EncodeCommand; the descriptor is its output
  kHold,       // keep the descriptor open
  kTerminate,  // send TERM to the command's group, if a command runs
  kKill,       // send KILL to the command's group, if a command runs
  // To the worker, one for each kRun.
  kEnded,       // CommandExit
  kNotStarted,  // StartFailure
};

struct Frame {
  FrameKind kind = FrameKind::kRun;
  std::string payload;
  UniqueFd fd;  // invalid if none was sent, or if the receiver was at its limit of descriptors
};

// The failed system call of a command that could not be started, and its errno.
struct StartFailure {
  enum class FailedCall : int { kFork, kChdir, kExec };
  FailedCall call = FailedCall::kFork;
  int error = 0;
};

// Sends one frame, with a duplicate of `passed_fd` unless that is -1. Blocks until all is sent.
absl::Status SendFrame(int socket, FrameKind kind, absl::string_view payload, int passed_fd = -1);

// Blocks until a whole frame has arrived. Unavailable if the other process closed the socket or
// died.
absl::StatusOr<Frame> ReceiveFrame(int socket);

// A command in the form that execve needs. The pointers point into the decoded payload.
struct CommandImage {
  const char* directory = nullptr;
  std::vector<char*> argv;         // ends with a null pointer
  std::vector<char*> environment;  // ends with a null pointer
  bool core_dumps = false;
  absl::Duration sweep_limit;
};

// `command` must have passed CheckCommand. The payload does not contain output_fd and grace.
std::string EncodeCommand(const Command& command);
// False if `payload` was not made by EncodeCommand.
bool DecodeCommand(std::string& payload, CommandImage& image);

template <typename T>
absl::string_view BytesOf(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// False if the size of `payload` is not the size of T.
template <typename T>
bool CopyBytes(absl::string_view payload, T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (payload.size() != sizeof value) return false;
  std::memcpy(&value, payload.data(), sizeof value);
  return true;
}

}  // namespace sparkles
