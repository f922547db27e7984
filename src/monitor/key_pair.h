// Checks whether TLS can use a certificate and its private key. gRPC would give no reason.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sparkles {

// FailedPrecondition if the texts are not PEM, if TLS finds the certificate too weak, or if the key
// does not belong to the first certificate. The message contains no part of the texts.
absl::Status CheckKeyPair(const std::string& certificate, const std::string& private_key);

// A certificate is valid from `begin` until `end`.
struct CertificateDates {
  absl::Time begin;
  absl::Time end;
};

// The dates of the first certificate in the PEM text. FailedPrecondition if there is none.
absl::StatusOr<CertificateDates> ReadCertificateDates(const std::string& certificate);

}  // namespace sparkles
