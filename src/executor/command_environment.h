// What commands get of the worker's own environment: everything but what opens doors.
// The one hard idea: a task is somebody else's program. Where the worker's credentials lie, and
// tokens, are not for it unless the operator says so by name.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

// Whether the variable `name` tells where credentials are, or holds a secret. Case does not matter.
//   GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_CREDENTIALS, GOOGLE_GHA_CREDS_PATH, CLOUDSDK_*,
//   BOTO_CONFIG, BOTO_PATH, AWS_CONTAINER_CREDENTIALS_*, every name that is or ends in (after "_")
//   TOKEN, TOKEN_FILE, SECRET, PASSWD, CREDENTIALS, CREDENTIALS_FILE, API_KEY, APIKEY, ACCESS_KEY,
//   ACCESS_KEY_ID, SECRET_KEY or PRIVATE_KEY, and every name that ends in PASSWORD, PASSPHRASE or
//   _PWD.
bool IsSecretVariable(absl::string_view name);

struct CommandEnvironment {
  std::vector<std::string> variables;  // "NAME=value"
  std::vector<std::string> withheld;   // names, sorted
};

// `variables` ("NAME=value") without the secret ones, except those in `pass` (exact names).
CommandEnvironment MakeCommandEnvironment(const std::vector<std::string>& variables,
                                          const std::vector<std::string>& pass);

}  // namespace sparkles
