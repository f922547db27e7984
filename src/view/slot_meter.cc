#include "view/slot_meter.h"

#include <algorithm>
#include <utility>

namespace sparkles {
namespace {

// A shorter time gives a rate that jumps, a longer one a rate that is late.
constexpr absl::Duration kRateTime = absl::Seconds(3);
constexpr absl::Duration kLeastRateTime = absl::Milliseconds(500);

}  // namespace

SlotFacts SlotMeter::Read(absl::Time now) {
  if (auto seen = metrics_.current_task.Read()) {
    if (seen->phase != task_.phase || seen->task_since != task_.task_since) samples_.clear();
    task_ = *std::move(seen);
  }
  const bool idle = task_.phase == TaskPhase::kIdle;
  const absl::Duration time = idle ? absl::ZeroDuration() : now - task_.task_since;
  return {task_, std::max(time, absl::ZeroDuration()), Rate(now)};
}

double SlotMeter::Rate(absl::Time now) {
  const uint64_t bytes = metrics_.bytes_downloaded.value() + metrics_.bytes_uploaded.value();
  samples_.push_back({now, bytes});
  while (samples_.size() > 2 && now - samples_[1].time >= kRateTime) samples_.pop_front();
  const Sample& oldest = samples_.front();
  const absl::Duration time = now - oldest.time;
  if (time < kLeastRateTime || bytes < oldest.bytes) return 0;
  return static_cast<double>(bytes - oldest.bytes) / absl::ToDoubleSeconds(time);
}

}  // namespace sparkles
