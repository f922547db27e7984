// Checks whether TLS can use a certificate and its private key. gRPC would give no reason.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace sparkles {

// FailedPrecondition if the texts are not PEM, if TLS finds the certificate too weak, or if the key
// does not belong to the first certificate. The message contains no part of the texts.
absl::Status CheckKeyPair(const std::string& certificate, const std::string& private_key);

}  // namespace sparkles
