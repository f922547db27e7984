#include "slots/slot_board.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <type_traits>
#include <utility>

#include "base/status.h"

namespace sparkles {
namespace {

// Without these, processes could not share the metrics: a lock would be in the memory of one
// process, and a destructor would run in each of them.
static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);
static_assert(std::is_trivially_destructible_v<WorkerMetrics>);

size_t BytesFor(int slots) { return sizeof(WorkerMetrics) * static_cast<size_t>(slots); }

absl::StatusOr<void*> Map(int fd, int slots) {
  void* const memory = mmap(nullptr, BytesFor(slots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return ErrnoError(errno, "shared memory of the slots");
  return memory;
}

}  // namespace

SlotBoard::SlotBoard(UniqueFd fd, WorkerMetrics* memory, int slots)
    : fd_(std::move(fd)), memory_(memory), slots_(slots) {}

SlotBoard::~SlotBoard() { munmap(memory_, BytesFor(slots_)); }

absl::StatusOr<std::unique_ptr<SlotBoard>> SlotBoard::Create(int slots) {
  UniqueFd fd(memfd_create("sparkles-slots", MFD_CLOEXEC));
  if (!fd.valid() || ftruncate(fd.get(), static_cast<off_t>(BytesFor(slots))) != 0) {
    return ErrnoError(errno, "shared memory of the slots");
  }
  ASSIGN_OR_RETURN(void* const memory, Map(fd.get(), slots));
  for (int i = 0; i < slots; ++i) new (static_cast<WorkerMetrics*>(memory) + i) WorkerMetrics();
  return std::unique_ptr<SlotBoard>(
      new SlotBoard(std::move(fd), static_cast<WorkerMetrics*>(memory), slots));
}

absl::StatusOr<std::unique_ptr<SlotBoard>> SlotBoard::Attach(UniqueFd fd, int slots) {
  struct stat status{};
  if (fstat(fd.get(), &status) != 0) return ErrnoError(errno, "shared memory of the slots");
  // Access beyond the end of the file would end the process.
  if (status.st_size != static_cast<off_t>(BytesFor(slots))) {
    return absl::InvalidArgumentError("the shared memory of the slots has another size");
  }
  ASSIGN_OR_RETURN(void* const memory, Map(fd.get(), slots));
  return std::unique_ptr<SlotBoard>(
      new SlotBoard(std::move(fd), static_cast<WorkerMetrics*>(memory), slots));
}

void SlotBoard::AddTo(const std::vector<bool>& live, WorkerMetrics& total) const {
  bool any_live = false;
  bool all_unfit = true;
  for (int i = 0; i < slots_; ++i) {
    total.Add(memory_[i]);
    if (!live[static_cast<size_t>(i)]) continue;
    any_live = true;
    all_unfit = all_unfit && memory_[i].machine_unfit;
    if (memory_[i].stalled) total.stalled = true;
  }
  total.machine_unfit = any_live && all_unfit;
}

}  // namespace sparkles
