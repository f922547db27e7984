// Checks which credentials there are, whether Google accepts them, and what they may do. No finding
// contains a secret.
#pragma once

#include "base/cancel.h"
#include "base/clock.h"
#include "doctor/finding.h"
#include "gcp/environment.h"
#include "gcp/metadata_server.h"
#include "gcp/token_source.h"

namespace sparkles {

// Finds the credentials and fetches a token from `tokens`.
void CheckCredentials(const Environment& environment, TokenSource& tokens, Clock& clock,
                      const CancelToken& cancel, Findings& findings);

// The scopes of this VM's service account. Adds no finding if the credentials are in a file.
void CheckScopes(const Environment& environment, MetadataServer& metadata, bool needs_datastore,
                 const CancelToken& cancel, Findings& findings);

}  // namespace sparkles
