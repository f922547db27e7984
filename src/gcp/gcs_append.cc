#include "gcp/gcs_append.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/json.h"
#include "base/status.h"
#include "http/transient.h"

namespace sparkles {
namespace {

Json SourceOf(const GcsName& name, int64_t generation) {
  return {{"name", name.object},
          {"generation", absl::StrCat(generation)},
          {"objectPreconditions", {{"ifGenerationMatch", absl::StrCat(generation)}}}};
}

}  // namespace

absl::StatusOr<GcsObject> AppendPart(GcsClient& client, const GcsName& name, const GcsObject& head,
                                     const GcsPart& part, const std::string& type,
                                     const Activity& activity) {
  const uint64_t size = head.size + part.object.size;
  const uint32_t crc = CombineCrc32c(head.crc32c, part.object.crc32c, part.object.size);
  const Json body = {{"sourceObjects", Json::array({SourceOf(name, head.generation),
                                                    SourceOf(part.name, part.object.generation)})},
                     {"destination", {{"contentType", type}}}};
  HttpRequest request;
  request.method = "POST";
  request.url =
      absl::StrCat(client.ObjectUrl(name), "/compose?ifGenerationMatch=", head.generation);
  request.headers.Add("Content-Type", "application/json; charset=UTF-8");
  request.body = DumpJson(body);

  std::optional<GcsObject> joined;
  const auto attempt = [&]() -> absl::Status {
    const auto response = client.SendSmall(request, activity, {412});
    // The server does not find a source that was replaced meanwhile.
    const bool gone = absl::IsNotFound(response.status()) && !IsTransient(response.status());
    if (!response.ok() && !gone) return response.status();
    if (!gone && response->status != 412) {
      const absl::StatusOr<GcsObject> object = ParseGcsObject(response->body);
      // The next attempt finds out whether this one was applied.
      if (!object.ok()) return MarkRetryable(absl::UnavailableError(object.status().message()));
      joined = *object;
      if (joined->size == size && joined->crc32c == crc) return absl::OkStatus();
      return absl::DataLossError(absl::StrCat("the server joined ", head.size, " and ",
                                              part.object.size, " bytes to ", joined->size,
                                              " bytes with another checksum than theirs"));
    }
    ASSIGN_OR_RETURN(joined, client.GetMetadata(name, activity));
    if (joined.has_value() && joined->size == size && joined->crc32c == crc) {
      return absl::OkStatus();
    }
    return absl::FailedPreconditionError(joined.has_value() && joined->generation == head.generation
                                             ? "the part was replaced or removed meanwhile"
                                             : "the object was replaced or removed meanwhile");
  };
  RETURN_IF_ERROR(
      client.Retry(name, GcsRight::kWrite, activity, [&] { return Attempt{attempt()}; }));
  return *joined;
}

}  // namespace sparkles
