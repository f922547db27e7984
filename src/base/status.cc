#include "base/status.h"

#include <sys/resource.h>

#include <cerrno>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

constexpr char kMachineFaultPayload[] = "sparkles/machine-fault";
constexpr char kErrnoPayload[] = "sparkles/errno";

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
    case EREMOTEIO:
      return true;
    default:
      return false;
  }
}

// The errors of a mount that has lost its server or device.
bool IsDeadMount(int error) {
  switch (error) {
    case ENOTCONN:  // FUSE: the daemon has ended
    case ECONNABORTED:
    case ECONNREFUSED:
    case ECONNRESET:
    case ESHUTDOWN:
    case ETIMEDOUT:  // NFS: a soft mount
    case ETIME:
    case EHOSTDOWN:  // CIFS
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENETRESET:
    case ENONET:
    case ENOLINK:
    case ECOMM:
    case EPROTO:
    case ESTALE:
    case ENODEV:  // for a special file see OpenFile
    case ENXIO:
    case ENOMEDIUM:
    case ENOKEY:  // AFS, CIFS with Kerberos, fscrypt
    case EKEYEXPIRED:
    case EKEYREVOKED:
    case EKEYREJECTED:
      return true;
    default:
      return false;
  }
}

std::string Message(int error, absl::string_view object) {
  return std::string(absl::ErrnoToStatus(error, object).message());
}

// Without ulimit -f the limit is the file system's, which is the same on every machine.
absl::Status TooLarge(absl::string_view object) {
  rlimit limit;
  absl::Status status = absl::ErrnoToStatus(EFBIG, object);
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return status;
  return MachineFault(WithMessage(
      status, absl::StrCat(status.message(), ": the worker's ulimit -f allows ", limit.rlim_cur,
                           " bytes; start the worker with a higher limit")));
}

// ErrnoError without the mark that has `error`.
absl::Status Translate(int error, absl::string_view object) {
  if (error == EFBIG) return TooLarge(object);
  // absl::ErrnoToStatus would turn ENODEV and ENXIO into NotFound.
  if (IsDeadMount(error)) return MachineFault(absl::InternalError(Message(error, object)));
  absl::Status status = absl::ErrnoToStatus(error, object);
  return OnlyTheMachineCanCure(error) ? MachineFault(std::move(status)) : status;
}

}  // namespace

absl::Status ErrnoError(int error, absl::string_view object) {
  absl::Status status = Translate(error, object);
  // clang gives the constructor from a temporary string another symbol than gcc, which compiled
  // Debian's Abseil.
  const std::string number = absl::StrCat(error);
  if (!status.ok()) status.SetPayload(kErrnoPayload, absl::Cord(number));
  return status;
}

int ErrnoOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrnoPayload);
  int error = 0;
  return payload.has_value() && absl::SimpleAtoi(std::string(*payload), &error) ? error : 0;
}

bool IsDiskFull(const absl::Status& status) {
  const int error = ErrnoOf(status);
  return error == ENOSPC || error == EDQUOT;
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

absl::Status WithoutMarks(const absl::Status& status) {
  return absl::Status(status.code(), status.message());
}

absl::Status MachineFault(absl::Status status) {
  if (!status.ok()) status.SetPayload(kMachineFaultPayload, absl::Cord("1"));
  return status;
}

bool IsMachineFault(const absl::Status& status) {
  return status.GetPayload(kMachineFaultPayload).has_value();
}

}  // namespace sparkles
