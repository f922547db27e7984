#include "slots/slot_board.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <type_traits>
#include <utility>

#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

// Without these, processes could not share the metrics: a lock would be in the memory of one
// process, and a destructor would run in each of them.
static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);
static_assert(std::is_trivially_destructible_v<WorkerMetrics>);
static_assert(std::is_trivially_destructible_v<FaultStreak>);

}  // namespace

size_t SlotBoard::BytesFor(int slots) {
  return sizeof(Memory) + sizeof(WorkerMetrics) * static_cast<size_t>(slots - 1);
}

absl::StatusOr<SlotBoard::Memory*> SlotBoard::Map(int fd, int slots) {
  void* const memory = mmap(nullptr, BytesFor(slots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return ErrnoError(errno, "shared memory of the slots");
  return static_cast<Memory*>(memory);
}

SlotBoard::SlotBoard(UniqueFd fd, Memory* memory, int slots)
    : fd_(std::move(fd)), memory_(memory), slots_(slots) {}

SlotBoard::~SlotBoard() { munmap(memory_, BytesFor(slots_)); }

absl::StatusOr<std::unique_ptr<SlotBoard>> SlotBoard::Create(int slots) {
  UniqueFd fd(memfd_create("sparkles-slots", MFD_CLOEXEC));
  if (!fd.valid() || ftruncate(fd.get(), static_cast<off_t>(BytesFor(slots))) != 0) {
    return ErrnoError(errno, "shared memory of the slots");
  }
  ASSIGN_OR_RETURN(Memory* const memory, Map(fd.get(), slots));
  new (memory) Memory();
  for (int i = 1; i < slots; ++i) new (memory->metrics + i) WorkerMetrics();
  return std::unique_ptr<SlotBoard>(new SlotBoard(std::move(fd), memory, slots));
}

absl::StatusOr<std::unique_ptr<SlotBoard>> SlotBoard::Attach(UniqueFd fd, int slots) {
  struct stat status{};
  if (fstat(fd.get(), &status) != 0) return ErrnoError(errno, "shared memory of the slots");
  // Access beyond the end of the file would end the process.
  if (status.st_size != static_cast<off_t>(BytesFor(slots))) {
    return absl::InvalidArgumentError("the shared memory of the slots has another size");
  }
  ASSIGN_OR_RETURN(Memory* const memory, Map(fd.get(), slots));
  return std::unique_ptr<SlotBoard>(new SlotBoard(std::move(fd), memory, slots));
}

bool SlotBoard::IsNews(absl::string_view message) {
  const uint64_t key = TextKey(message);
  for (std::atomic<uint64_t>& known : memory_->news) {
    uint64_t found = 0;
    if (known.compare_exchange_strong(found, key)) return true;
    if (found == key) return false;
  }
  return true;
}

void SlotBoard::AddTo(const std::vector<bool>& live, WorkerMetrics& total) const {
  bool any_fit = false;
  for (int i = 0; i < slots_; ++i) {
    total.Add(metrics(i));
    if (!live[static_cast<size_t>(i)]) continue;
    if (!metrics(i).machine_unfit) any_fit = true;
    if (metrics(i).stalled) total.stalled = true;
  }
  total.machine_unfit = !any_fit;
}

}  // namespace sparkles
