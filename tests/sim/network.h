// The network of a simulated worker: carries its requests to the servers, or not, or not only.
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
  // Whether this fault strikes the request.
  bool Strikes(Fault fault, const HttpRequest& request);
  absl::StatusOr<HttpResponse> Travel(const HttpRequest& request, bool to_datastore);
  absl::StatusOr<HttpResponse> Unknown(const HttpRequest& request);
  absl::StatusOr<HttpResponse> Delayed(const HttpRequest& request);
  absl::StatusOr<HttpResponse> Disturbed(const HttpRequest& request);
  absl::StatusOr<HttpResponse> DisturbedDownload(const HttpRequest& request);
  absl::StatusOr<HttpResponse> DisturbedUpload(const HttpRequest& request);
  // The claim that a commit makes, for the judge.
  void NoteClaim(const HttpRequest& request);
  // What the worker learns from an answer, for the judge.
  void Learn(const HttpRequest& request, const absl::StatusOr<HttpResponse>& response);
  // Whoever is dead has no effect and gets no answer.
  absl::Status CheckAlive(const HttpRequest& request);

  World& world_;
  Machine& machine_;
  const Author author_;
};

}  // namespace sparkles
