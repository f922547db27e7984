// Who may call the Monitor: those who send its secret as metadata, with every call of every method,
// reflection included.
// The one hard idea: each method asks by itself. gRPC's own place for that, AuthMetadataProcessor,
// encodes whatever a stranger sent before it asks us, and 1.51 aborts on some (CVE-2023-1428).
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace sparkles {

inline constexpr char kSecretKey[] = "shared-secret";

// Takes the same time wherever the texts differ, and however long they are.
bool IsSameSecret(absl::string_view secret, absl::string_view offered);

// Thread-safe.
class SecretCheck {
 public:
  // As gRPC gives a call's metadata to its method.
  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

  // `secret` must not be empty: that would let everybody in.
  explicit SecretCheck(std::string secret) : secret_(std::move(secret)) {}

  // UNAUTHENTICATED without the secret.
  grpc::Status Check(const Metadata& metadata) const;

 private:
  const std::string secret_;
};

}  // namespace sparkles
