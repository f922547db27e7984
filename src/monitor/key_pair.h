// Whether TLS can use a certificate and a private key, which gRPC would not say.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace sparkles {

// FailedPrecondition, without a word of what is in them, if they are not PEM, TLS finds them too
// weak, or the key is not that of the (first) certificate.
absl::Status CheckKeyPair(const std::string& certificate, const std::string& private_key);

}  // namespace sparkles
