// Checks the kernel, the shell, and the limits of this process.
#pragma once

#include <sys/resource.h>

#include <string>

#include "absl/strings/string_view.h"
#include "base/cancel.h"
#include "doctor/finding.h"

namespace sparkles {

// `release` is the kernel's release, such as "6.1.0-25-amd64".
void CheckKernel(absl::string_view release, Findings& findings);

// Runs `shell` -c with a short script. Commands of tasks need /bin/sh.
void CheckShell(const std::string& shell, const CancelToken& cancel, Findings& findings);

// `limit` is the value of RLIMIT_NOFILE; `transfers` is the flag --transfers.
void CheckOpenFiles(const rlimit& limit, int transfers, Findings& findings);

// The processes and threads that this user may start: `limit` is the value of RLIMIT_NPROC, which
// does not hold for a `privileged` user. Also looks at the control group.
void CheckProcesses(const rlimit& limit, bool privileged, const std::string& proc_root,
                    Findings& findings);

// The memory of the machine and of the control group.
void CheckMemory(const std::string& proc_root, Findings& findings);

}  // namespace sparkles
