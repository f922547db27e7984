// Finds the credentials file and makes the token source for its type.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/json.h"
#include "gcp/environment.h"
#include "gcp/token_source.h"
#include "http/transport.h"

namespace sparkles {

struct CredentialsFile {
  std::string path;
  Json fields;  // a JSON object
};

// The path where gcloud writes the credentials of `gcloud auth application-default login`; empty
// without HOME.
std::string WellKnownCredentialsPath(const Environment& environment);

// The file that GOOGLE_APPLICATION_CREDENTIALS names, or else the well-known file if it exists. An
// error if the variable names a file that does not exist. Errors name the file and the place that
// named it.
absl::StatusOr<std::optional<CredentialsFile>> FindCredentialsFile(const Environment& environment);

// The source for the fields of a credentials file. Borrows the others. InvalidArgument names the
// wrong field, and never quotes a secret.
absl::StatusOr<std::unique_ptr<TokenSource>> MakeTokenSource(const Json& fields,
                                                             HttpTransport& transport,
                                                             Clock& clock);

}  // namespace sparkles
