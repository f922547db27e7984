// Runs code in a child process in which chosen system calls fail, as on some file systems.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"

namespace sparkles {

struct ForbiddenCall {
  long number;
  std::optional<uint32_t> second_argument = std::nullopt;  // only calls with this one fail
};

// Makes `calls` fail with `error` in this process from now on. False without seccomp.
inline bool Forbid(const std::vector<ForbiddenCall>& calls, int error) {
  std::vector<sock_filter> program;
  const auto load = [&](size_t offset) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)));
  };
  for (const ForbiddenCall& call : calls) {
    load(offsetof(seccomp_data, nr));
    const uint8_t rest = call.second_argument ? 3 : 1;
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call.number), 0, rest));
    if (call.second_argument) {
      load(offsetof(seccomp_data, args[1]));  // the lower half, on little-endian machines
      program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, *call.second_argument, 0, 1));
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// The result of `body` in a process where `calls` fail; nullopt without seccomp.
inline std::optional<bool> InProcessWithout(const std::vector<ForbiddenCall>& calls, int error,
                                            absl::FunctionRef<bool()> body) {
  constexpr int kNoSeccomp = 2;
  const pid_t pid = fork();
  if (pid == 0) {
    if (!Forbid(calls, error)) _exit(kNoSeccomp);
    _exit(body() ? 0 : 1);
  }
  int status = -1;
  if (waitpid(pid, &status, 0) != pid) return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoSeccomp) return std::nullopt;
  return status == 0;
}

}  // namespace sparkles
