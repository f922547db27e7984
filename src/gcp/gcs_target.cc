#include "gcp/gcs_target.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/permission.h"
#include "base/status.h"

namespace sparkles {
namespace {

// After three corrupted uploads the network of this machine is at fault. Another machine may
// succeed.
constexpr int kMaxWrong = 3;

}  // namespace

absl::StatusOr<bool> GcsTarget::AlreadyHasContent(GcsSource& source) {
  ASSIGN_OR_RETURN(const std::optional<GcsObject> object, client_.GetMetadata(name_, activity_));
  expected_ = object.has_value() ? object->generation : 0;
  if (!object.has_value()) return false;
  ASSIGN_OR_RETURN(const uint32_t crc, source.Crc());
  if (!object->encoded && object->size == source.size() && object->crc32c == crc) {
    stored_ = *object;
    return true;
  }
  RETURN_IF_ERROR(ConfirmReplacement());
  return false;
}

// Called when the generation is known. If another worker replaces the object later, the
// precondition fails. If it replaced the object before, the check of the claim notices that.
absl::Status GcsTarget::ConfirmReplacement() const {
  if (!content_.before_replacing) return absl::OkStatus();
  absl::Status objection = content_.before_replacing();
  if (objection.ok() || absl::IsCancelled(objection)) return objection;
  return MarkRetryable(absl::UnavailableError(objection.message()));
}

absl::Status GcsTarget::CheckStored(absl::string_view json, GcsSource& source) {
  const absl::StatusOr<GcsObject> object = ParseGcsObject(json);
  if (!object.ok()) return MarkRetryable(absl::UnavailableError(object.status().message()));
  ASSIGN_OR_RETURN(const uint32_t crc, source.Crc());
  if (object->size == source.size() && object->crc32c == crc) {
    stored_ = *object;
    return absl::OkStatus();
  }
  const absl::Status removed = client_.Delete(name_, object->generation, activity_);
  expected_ = removed.ok() ? 0 : object->generation;
  return CountCorruption(absl::DataLossError(absl::StrCat(
      "the server stored ", object->size, " bytes with the crc32c ", FormatCrc32c(object->crc32c),
      ", but ", source.size(), " bytes with ", FormatCrc32c(crc), " were sent; that object was ",
      removed.ok() ? "removed again" : "not removed: do not use it")));
}

absl::Status GcsTarget::ClassifyError(const absl::Status& error) {
  const bool checksum = absl::IsInvalidArgument(error) &&
                        absl::StrContains(absl::AsciiStrToLower(error.message()), "crc32c");
  return checksum ? CountCorruption(absl::DataLossError(error.message())) : error;
}

absl::Status GcsTarget::ExplainFinalStatus(const absl::Status& end, bool occupied) const {
  const bool unreplaceable = expected_ != 0 || IsRefusalToReplace(end);
  if (!absl::IsPermissionDenied(end) || !(occupied || unreplaceable)) return end;
  const char* const why =
      unreplaceable ? "an object exists already, and this account may not replace it (this "
                      "needs storage.objects.delete, and no hold or retention policy): "
                    : "an object exists already, and this account may not read it (the upload "
                      "needs storage.objects.get): ";
  return MarkObjectProtected(WithMessage(end, absl::StrCat(why, end.message())));
}

absl::Status GcsTarget::CountCorruption(const absl::Status& why) {
  return ++corruptions_ < kMaxWrong ? MarkRetryable(why) : MachineFault(why);
}

}  // namespace sparkles
