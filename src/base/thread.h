// Threads with a name, for whoever looks at the process from outside, and with a role.
// The one hard idea: the watchdog believes a sign of life only of a thread that does the work. One
// that watches, serves or samples goes on for ever while the work is stuck.
#pragma once

#include <functional>
#include <thread>

namespace sparkles {

// Starts `body` on a thread that the system calls `name` (cut to 15 characters). Throws
// std::system_error as std::thread does. `name` must live as long as the thread: a literal.
// Its role is that of the caller's thread; the main thread does the work.
std::thread StartThread(const char* name, std::function<void()> body);

// The same for a thread that does not do the work: what it does is no sign of life.
std::thread StartHousekeeping(const char* name, std::function<void()> body);

// Whether this thread, or one that led to it, was started as housekeeping.
bool OnHousekeepingThread();

}  // namespace sparkles
