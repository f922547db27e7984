// Whom the kernel ends first when memory runs out: the command, not the worker that can tell.
#pragma once

namespace sparkles {

// What the command's score is raised to, of 1000: in effect half of all memory is added to what it
// uses.
inline constexpr int kCommandOomScore = 500;

// Lowers the score of this process and of those that it will fork, if it may (that takes
// CAP_SYS_RESOURCE).
void ProtectFromOom();

// Raises the score of this process, unless it is as high already. Async-signal-safe: for the child
// between fork and exec.
void OfferToOom();

}  // namespace sparkles
