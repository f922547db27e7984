// Serves gRPC reflection (proto/reflection.proto) to clients that send the Monitor's secret.
#pragma once

#include <grpcpp/grpcpp.h>

#include "monitor/auth.h"
#include "reflection.grpc.pb.h"

namespace sparkles {

// Thread-safe. Replaces gRPC's own reflection service, which does not check a secret.
class ReflectionService final
    : public grpc::reflection::v1alpha::ServerReflection::CallbackService {
 public:
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;

  // Borrows `secret`.
  explicit ReflectionService(const SecretCheck& secret) : secret_(secret) {}

  // UNAUTHENTICATED without the secret.
  grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(
      grpc::CallbackServerContext* context) override;

 private:
  const SecretCheck& secret_;
};

}  // namespace sparkles
