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

// What may pass: a worker that is away; one that is slow (or a machine that has vanished without a
// word), where the call's own time is over first; one that has given up a connection that is slow.
bool MayPass(const absl::Status& error) {
  return absl::IsUnavailable(error) || absl::IsDeadlineExceeded(error) || absl::IsCancelled(error);
}

}  // namespace

absl::Status LogPrinter::Run() {
  while (true) {
    const absl::Time start = clock_.Now();
    const auto piece = read_(offset_, kPieceBytes);
    if (!piece.ok()) {
      RETURN_IF_ERROR(Endure(piece.status(), clock_.Now() - start));
      continue;
    }
    answered_ = has_read_ = true;
    in_vain_ = absl::ZeroDuration();
    if (piece->was_cut) std::cerr << "sparklesworker logs: the command has cut its log\n";
    offset_ = piece->new_offset;
    RETURN_IF_ERROR(WriteAll(out_, piece->data, "stdout"));
    if (!piece->at_end || piece->was_cut) continue;
    if (!follow_ || piece->complete) return absl::OkStatus();
    clock_.Sleep(kPollPeriod, never_);
  }
}

absl::Status LogPrinter::Endure(const absl::Status& error, absl::Duration took) {
  const bool starts = absl::IsNotFound(error) && !has_read_;
  answered_ = answered_ || starts || absl::IsCancelled(error);  // who refuses is there
  if (!follow_ || !(starts || (answered_ && MayPass(error)))) return error;
  // No call takes longer: what does is a machine that slept, or a clock that was set.
  in_vain_ += std::clamp(took, absl::ZeroDuration(), MonitorClient::kTimeout);
  if (starts && in_vain_ > kStartPatience) return error;
  if (in_vain_ > kPatience) return GivenUp(error);
  clock_.Sleep(kPollPeriod, never_);
  in_vain_ += kPollPeriod;
  return absl::OkStatus();
}

absl::Status LogPrinter::GivenUp(const absl::Status& error) const {
  if (absl::IsCancelled(error)) return error;
  return WithMessage(
      error, absl::StrCat(address_,
                          ": the worker cannot be reached any more and has probably ended; once "
                          "the task has ended its whole log is at its stdout_url"));
}

}  // namespace sparkles
