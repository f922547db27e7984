// Makes a newly forked process fit to be the launcher: what it holds and what a command inherits.
#pragma once

#include <string>

#include "base/fd.h"

namespace sparkles {

struct LauncherDescriptors {
  UniqueFd socket;   // the one that was given, perhaps under another number
  UniqueFd signals;  // readable when a child has changed its state; not blocking
};

// Afterwards the process leads a session of its own (a terminal's Ctrl-C does not reach it), has
// all signals blocked and set to their default, adopts its orphaned descendants, and holds nothing
// but `socket`, an empty stdin (/dev/null) and stdout, and the old stderr for a last word. Ends the
// process if that cannot be had.
LauncherDescriptors SetUpLauncher(UniqueFd socket, const std::string& proc_root);

}  // namespace sparkles
