// Prepares a newly forked process to be the launcher: its descriptors, signals and session.
#pragma once

#include <string>

#include "base/fd.h"

namespace sparkles {

struct LauncherDescriptors {
  UniqueFd socket;   // the given socket, perhaps under another number
  UniqueFd signals;  // readable when a child has changed its state; non-blocking
};

// Afterwards the process
// - leads its own session, so that a terminal's Ctrl-C does not reach it;
// - has all signals blocked and at their default action;
// - adopts its orphaned descendants;
// - has no open descriptors except `socket`, stdin and stdout on /dev/null, and the old stderr.
// Exits with code 1 if a step fails.
LauncherDescriptors SetUpLauncher(UniqueFd socket, const std::string& proc_root);

}  // namespace sparkles
