#include "base/status.h"

#include <cerrno>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

constexpr char kMachineFaultPayload[] = "sparkles/machine-fault";

bool OnlyTheMachineCanCure(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EIO:
    case EROFS:    // file systems become that after an error; see LocalStore for destinations
    case EUCLEAN:  // a broken file system
    case ESTALE:   // a network mount that has gone
    case EREMOTEIO:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::Status ErrnoError(int error, absl::string_view object) {
  absl::Status status = absl::ErrnoToStatus(error, object);
  if (OnlyTheMachineCanCure(error)) return MachineFault(std::move(status));
  return status;
}

absl::Status Annotate(const absl::Status& status, absl::string_view object) {
  return WithMessage(status, absl::StrCat(object, ": ", status.message()));
}

absl::Status WithMessage(const absl::Status& status, absl::string_view message) {
  if (status.ok()) return status;
  absl::Status said(status.code(), message);
  status.ForEachPayload(
      [&](absl::string_view type, const absl::Cord& payload) { said.SetPayload(type, payload); });
  return said;
}

absl::Status MachineFault(absl::Status status) {
  if (!status.ok()) status.SetPayload(kMachineFaultPayload, absl::Cord("1"));
  return status;
}

bool IsMachineFault(const absl::Status& status) {
  return status.GetPayload(kMachineFaultPayload).has_value();
}

}  // namespace sparkles
