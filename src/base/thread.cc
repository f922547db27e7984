#include "base/thread.h"

#include <sys/prctl.h>

#include <utility>

namespace sparkles {
namespace {

thread_local bool housekeeping = false;

std::thread Start(const char* name, bool keeps_house, std::function<void()> body) {
  return std::thread([name, keeps_house, run = std::move(body)] {
    prctl(PR_SET_NAME, name);  // cuts by itself
    housekeeping = keeps_house;
    run();
  });
}

}  // namespace

std::thread StartThread(const char* name, std::function<void()> body) {
  return Start(name, housekeeping, std::move(body));
}

std::thread StartHousekeeping(const char* name, std::function<void()> body) {
  return Start(name, true, std::move(body));
}

bool OnHousekeepingThread() { return housekeeping; }

}  // namespace sparkles
