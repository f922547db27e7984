#include "cli/log_printer.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr int32_t kPieceBytes = 256 << 10;
constexpr absl::Duration kPollPeriod = absl::Milliseconds(500);

// True for errors that a retry may fix. Unavailable: the worker is not reachable. DeadlineExceeded:
// the worker is slow, or its machine has vanished. Cancelled: the worker has cancelled a reply that
// was read too slowly.
bool IsTemporary(const absl::Status& error) {
  return absl::IsUnavailable(error) || absl::IsDeadlineExceeded(error) || absl::IsCancelled(error);
}

}  // namespace

absl::Status LogPrinter::Run() {
  while (true) {
    const absl::Time start = clock_.Now();
    const auto piece = read_(offset_, kPieceBytes);
    if (!piece.ok()) {
      RETURN_IF_ERROR(HandleError(piece.status(), clock_.Now() - start));
      continue;
    }
    answered_ = has_read_ = true;
    failing_ = absl::ZeroDuration();
    if (piece->was_cut) {
      std::cerr << "sparklesworker logs: the command has cut its log; continuing at its start\n";
    }
    offset_ = piece->new_offset;
    RETURN_IF_ERROR(WriteAll(out_, piece->data, "stdout"));
    if (!piece->at_end || piece->was_cut) continue;
    if (!follow_ || piece->complete) return absl::OkStatus();
    clock_.Sleep(kPollPeriod, never_cancelled_);
  }
}

absl::Status LogPrinter::HandleError(const absl::Status& error, absl::Duration took) {
  const bool starts = absl::IsNotFound(error) && !has_read_;
  answered_ = answered_ || starts || absl::IsCancelled(error);  // these errors are answers
  if (!follow_ || !(starts || (answered_ && IsTemporary(error)))) return error;
  // A call that seems to have taken longer than its timeout was interrupted by a sleep of the
  // machine, or the clock was set.
  failing_ += std::clamp(took, absl::ZeroDuration(), MonitorClient::kTimeout);
  if (starts && failing_ > kMaxStartWait) return error;
  if (failing_ > kMaxOutage) return EndedWorkerError(error);
  clock_.Sleep(kPollPeriod, never_cancelled_);
  failing_ += kPollPeriod;
  return absl::OkStatus();
}

absl::Status LogPrinter::EndedWorkerError(const absl::Status& error) const {
  if (absl::IsCancelled(error)) return error;
  return WithMessage(
      error, absl::StrCat(address_,
                          ": the worker cannot be reached any more and has probably ended; when "
                          "the task has ended, read its log at its stdout_url"));
}

}  // namespace sparkles
