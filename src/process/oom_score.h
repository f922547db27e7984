// Makes the kernel kill the command before the worker when memory runs out.
// Then the worker can still report why the task failed.
#pragma once

namespace sparkles {

// The command's oom_score_adj, of at most 1000. The kernel treats the command as if it used another
// half of all memory.
inline constexpr int kCommandOomScore = 500;

// Lowers the score of this process and of its later children. Does nothing without
// CAP_SYS_RESOURCE.
void LowerOomScore();

// Raises the score of this process to kCommandOomScore unless it is already as high.
// Async-signal-safe, for use between fork and exec.
void RaiseOomScore();

}  // namespace sparkles
