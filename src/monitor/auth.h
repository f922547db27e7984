// Checks the Monitor's secret, which each call must send as metadata.
// Each method calls this check itself. gRPC's AuthMetadataProcessor is not used, because it encodes
// the metadata of unknown clients first, and gRPC 1.51 aborts on some (CVE-2023-1428).
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace sparkles {

inline constexpr char kSecretKey[] = "shared-secret";

// The time for a wrong text does not depend on where the texts differ, or on their lengths.
bool IsSameSecret(absl::string_view secret, absl::string_view offered);

// Thread-safe.
class SecretCheck {
 public:
  // The type in which gRPC passes a call's metadata.
  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

  // `secret` must not be empty.
  explicit SecretCheck(std::string secret) : secret_(std::move(secret)) {}

  // UNAUTHENTICATED without the secret.
  grpc::Status Check(const Metadata& metadata) const;

 private:
  const std::string secret_;
};

}  // namespace sparkles
