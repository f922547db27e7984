// Checks the metadata server, and whether this VM is being preempted.
#pragma once

#include "base/cancel.h"
#include "doctor/finding.h"
#include "gcp/metadata_server.h"

namespace sparkles {

// Without --localhost the worker takes its name and address from the metadata server.
void CheckVm(MetadataServer& metadata, const CancelToken& cancel, Findings& findings);

}  // namespace sparkles
