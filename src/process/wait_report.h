// Describes where the processes of a command wait in the kernel, for the log of the task.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace sparkles {

// Adds one line for each descendant of `root`: its id, name, parent and state, and where the kernel
// says that it waits. A line for each of its other threads follows. Adds at most about 64 KiB: 50
// processes, and 20 threads of each. Zombies are last. The lines may contain any bytes.
void AddWaits(const std::string& proc_root, pid_t root, std::vector<std::string>& lines);

}  // namespace sparkles
