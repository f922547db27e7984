// The network of a simulated worker, which delivers, loses, delays or changes requests.
#pragma once

#include <string>

#include "http/transport.h"
#include "tests/sim/world.h"

namespace sparkles {

class SimTransport : public HttpTransport {
 public:
  // Borrows both. For one life of the machine's worker.
  SimTransport(World& world, Machine& machine)
      : world_(world), machine_(machine), author_(machine.author()) {}

  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override;

 private:
  // True if this fault strikes the request.
  bool ShouldInject(Fault fault, const HttpRequest& request);
  absl::StatusOr<HttpResponse> Travel(const HttpRequest& request, bool to_datastore);
  absl::StatusOr<HttpResponse> Unknown(const HttpRequest& request);
  absl::StatusOr<HttpResponse> Delayed(const HttpRequest& request);
  absl::StatusOr<HttpResponse> Disturbed(const HttpRequest& request);
  absl::StatusOr<HttpResponse> DisturbedDownload(const HttpRequest& request);
  absl::StatusOr<HttpResponse> DisturbedUpload(const HttpRequest& request);
  // Tells the judge about the claim in a commit.
  void NoteClaim(const HttpRequest& request);
  // Tells the judge what the worker learns from an answer.
  void Learn(const HttpRequest& request, const absl::StatusOr<HttpResponse>& response);
  // A dead worker must have no effect and gets no answer.
  absl::Status CheckAlive(const HttpRequest& request);

  World& world_;
  Machine& machine_;
  const Author author_;
};

}  // namespace sparkles
