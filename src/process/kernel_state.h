// Reads from /proc what a thread does, and where it waits in the kernel.
#pragma once

#include <string>

namespace sparkles {

// The state of the process or thread with the directory `directory` of /proc and, as far as the
// kernel shows it, where it waits: "D (disk sleep), waits in nfs_wait_bit_killable, system call 0,
// kernel stack: ...". Only root sees the kernel stack. Reads no file that waits for the thread's
// memory lock, which a thread in state D may hold.
std::string DescribeKernelState(const std::string& directory);

// The name of the process or thread. Empty if there is none.
std::string ThreadName(const std::string& directory);

}  // namespace sparkles
