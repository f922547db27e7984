// Who may call the Monitor: those who send its secret as metadata, with every call of every method,
// reflection included.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/auth_metadata_processor.h>

#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

inline constexpr char kSecretKey[] = "shared-secret";

// Takes the same time wherever the texts differ, and however long they are.
bool IsSameSecret(absl::string_view secret, absl::string_view offered);

// gRPC asks before a call reaches any method. UNAUTHENTICATED without the secret. Thread-safe.
class SecretCheck final : public grpc::AuthMetadataProcessor {
 public:
  // `secret` must not be empty: that would let everybody in.
  explicit SecretCheck(std::string secret) : secret_(std::move(secret)) {}

  bool IsBlocking() const override { return false; }  // no thread is needed for it
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  const std::string secret_;
};

}  // namespace sparkles
