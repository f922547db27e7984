// Credentials files: which one there is, and what kind of token source each kind makes.
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
  Json fields;  // an object
};

// Where Google's tools put the credentials of `gcloud auth application-default login`; empty if
// there can be none (no HOME).
std::string WellKnownCredentialsPath(const Environment& environment);

// The file that GOOGLE_APPLICATION_CREDENTIALS names, which then must be there; else the well-known
// one; none if there is none. Errors name the file and how it was found.
absl::StatusOr<std::optional<CredentialsFile>> FindCredentialsFile(const Environment& environment);

// The source for the fields of a credentials file. Borrows the others. InvalidArgument names the
// field that is wrong, and never quotes a secret.
absl::StatusOr<std::unique_ptr<TokenSource>> MakeTokenSource(const Json& fields,
                                                             HttpTransport& transport,
                                                             Clock& clock);

}  // namespace sparkles
