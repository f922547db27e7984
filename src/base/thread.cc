#include "base/thread.h"

#include <sys/prctl.h>

#include <system_error>
#include <utility>

#include "base/status.h"

namespace sparkles {
namespace {

thread_local bool housekeeping = false;

std::thread Start(const char* name, bool keeps_house, std::function<void()> body) {
  return std::thread([name, keeps_house, run = std::move(body)] {
    prctl(PR_SET_NAME, name);  // cuts the name if needed
    housekeeping = keeps_house;
    run();
  });
}

absl::StatusOr<std::thread> TryStart(const char* name, bool keeps_house,
                                     std::function<void()> body) {
  try {
    return Start(name, keeps_house, std::move(body));
  } catch (const std::system_error& error) {
    return ErrnoError(error.code().value(), "cannot start a thread");
  }
}

}  // namespace

absl::StatusOr<std::thread> StartThread(const char* name, std::function<void()> body) {
  return TryStart(name, housekeeping, std::move(body));
}

std::thread StartHousekeeping(const char* name, std::function<void()> body) {
  return Start(name, true, std::move(body));
}

Housekeeper::Housekeeper(const char* name, std::function<void(const CancelToken& stop)> body,
                         const CancelToken* parent)
    : stop_(parent) {
  absl::StatusOr<std::thread> started =
      TryStart(name, true, [this, run = std::move(body)] { run(stop_); });
  status_ = started.status();
  if (started.ok()) thread_ = *std::move(started);
}

void Housekeeper::Stop() {
  stop_.Cancel(CancelKind::kAbort, "");
  if (thread_.joinable()) thread_.join();
}

bool OnHousekeepingThread() { return housekeeping; }

}  // namespace sparkles
