#include "process/thread_stacks.h"

#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "process/monotonic.h"

#if defined(__clang__)
#define SPARKLES_READS_ANY_MEMORY __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define SPARKLES_READS_ANY_MEMORY
#endif

namespace sparkles {
namespace {

constexpr size_t kMaxFrames = 128;
// Deeper stacks are cut.
constexpr uintptr_t kMaxScannedBytes = 64 << 10;
// The smallest page of the kernel. All of a page is readable, or nothing.
constexpr uintptr_t kPageBytes = 4096;

// The memory of the program's own code. Libraries are left out, because there may be unmapped gaps
// between them.
struct CodeRange {
  uintptr_t start = 0;
  uintptr_t end = 0;
};
CodeRange code;  // written by PrepareThreadStacks

// A callback for dl_iterate_phdr, which lists the program first.
int FindCode(dl_phdr_info* program, size_t, void* found) {
  for (int i = 0; i < program->dlpi_phnum; ++i) {
    const auto& segment = program->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const uintptr_t start = program->dlpi_addr + segment.p_vaddr;
    *static_cast<CodeRange*>(found) = {start, start + segment.p_filesz};
  }
  return 1;  // ends the iteration before the libraries
}

// The current request, which the handler answers. There is one request at a time. These variables
// are static, because a thread may answer after ReadThreadStack has returned.
enum class State { kIdle, kAsked, kAnswering, kAnswered };
std::atomic<State> state = State::kIdle;
std::atomic<pid_t> asked_thread = 0;
std::atomic<bool> asked_scan_only = false;
std::array<uintptr_t, kMaxFrames> frames;  // written while kAnswering, read when kAnswered
size_t frame_count = 0;
StackSource source = StackSource::kUnwound;

uintptr_t ProgramCounter(const ucontext_t& context) {
#if defined(__x86_64__)
  return static_cast<uintptr_t>(context.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return context.uc_mcontext.pc;
#endif
}

uintptr_t StackPointer(const ucontext_t& context) {
#if defined(__x86_64__)
  return static_cast<uintptr_t>(context.uc_mcontext.gregs[REG_RSP]);
#elif defined(__aarch64__)
  return context.uc_mcontext.sp;
#endif
}

void AddFrame(uintptr_t address) {
  if (frame_count < kMaxFrames) frames[frame_count++] = address;
}

// Collects frames from the interrupted one on. The frames before it belong to the handler.
struct Walk {
  uintptr_t from = 0;
  bool reached = false;
};

_Unwind_Reason_Code CollectFrame(_Unwind_Context* context, void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  const auto address = static_cast<uintptr_t>(_Unwind_GetIP(context));
  if (address == walk.from) walk.reached = true;
  if (walk.reached && address != 0) AddFrame(address);
  return frame_count < kMaxFrames ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// True if the instruction before `address` is a call. `address` must be in the program's code.
SPARKLES_READS_ANY_MEMORY bool FollowsCall(uintptr_t address) {
#if defined(__x86_64__)
  const auto* end = reinterpret_cast<const unsigned char*>(address);
  if (end[-5] == 0xE8) return true;
  for (const int length : {2, 3, 4, 6, 7}) {  // call through a register or memory: FF /2
    if (end[-length] == 0xFF && (end[-length + 1] & 0x38) == 0x10) return true;
  }
  return false;
#elif defined(__aarch64__)
  uint32_t instruction;
  std::memcpy(&instruction, reinterpret_cast<const char*>(address) - 4, sizeof instruction);
  return (instruction & 0xFC000000) == 0x94000000 ||  // bl
         (instruction & 0xFFFFFC1F) == 0xD63F0000;    // blr
#endif
}

bool IsReturnAddress(uintptr_t word) {
  constexpr size_t kLongestCall = 7;  // bytes
  return word >= code.start + kLongestCall && word < code.end && FollowsCall(word);
}

// True if the page can be read. There may be a guard page at the end of a stack. The system call
// reads the signal set before it rejects the invalid operation, so EFAULT means unreadable.
bool IsReadable(uintptr_t page) {
  constexpr int kNoOperation = -1;
  constexpr size_t kSetBytes = 8;
  return syscall(SYS_rt_sigprocmask, kNoOperation, page, nullptr, kSetBytes) == 0 ||
         errno != EFAULT;
}

SPARKLES_READS_ANY_MEMORY void ScanStack(uintptr_t from) {
  from &= ~(sizeof(uintptr_t) - 1);
  uintptr_t page = 0;
  for (uintptr_t at = from; at < from + kMaxScannedBytes && frame_count < kMaxFrames;
       at += sizeof(uintptr_t)) {
    if ((at & ~(kPageBytes - 1)) != page) {
      page = at & ~(kPageBytes - 1);
      if (!IsReadable(page)) return;  // the stack has ended
    }
    const uintptr_t word = *reinterpret_cast<const volatile uintptr_t*>(at);
    if (IsReturnAddress(word)) AddFrame(word);
  }
}

// Async-signal-safe if the unwinder is. The unwinders of libgcc and libunwind take no lock that
// another thread could hold, because this program throws no exceptions.
void Answer(int, siginfo_t*, void* raw_context) {
  const int saved_errno = errno;
  State expected = State::kAsked;
  if (asked_thread.load() == static_cast<pid_t>(syscall(SYS_gettid)) &&
      state.compare_exchange_strong(expected, State::kAnswering)) {
    const auto& context = *static_cast<const ucontext_t*>(raw_context);
    frame_count = 0;
    Walk walk{ProgramCounter(context)};
    if (!asked_scan_only.load()) _Unwind_Backtrace(CollectFrame, &walk);
    source = StackSource::kUnwound;
    if (frame_count < 2) {
      source = StackSource::kScanned;
      frame_count = 0;
      AddFrame(walk.from);
      ScanStack(StackPointer(context));
    }
    state.store(State::kAnswered);
  }
  errno = saved_errno;
}

}  // namespace

int ThreadStackSignal() { return SIGRTMAX - 1; }

void PrepareThreadStacks() {
  dl_iterate_phdr(FindCode, &code);
  struct sigaction action{};
  action.sa_sigaction = Answer;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigfillset(&action.sa_mask);
  sigaction(ThreadStackSignal(), &action, nullptr);
  // The first use of the unwinder may load a library, which the handler must not do.
  Walk nowhere;
  _Unwind_Backtrace([](_Unwind_Context*, void*) { return _URC_END_OF_STACK; }, &nowhere);
}

ThreadStack ReadThreadStack(pid_t thread, absl::Duration timeout, bool scan_only) {
  ThreadStack stack;
  State late = State::kAnswered;  // an answer that came after the timeout of its request
  state.compare_exchange_strong(late, State::kIdle);
  if (state.load() != State::kIdle) return stack;  // a thread still answers an earlier request
  asked_thread = thread;
  asked_scan_only = scan_only;
  state = State::kAsked;
  const absl::Duration deadline = MonotonicNow() + timeout;
  if (syscall(SYS_tgkill, getpid(), thread, ThreadStackSignal()) == 0) {
    while (state.load() != State::kAnswered && MonotonicNow() < deadline) (void)poll(nullptr, 0, 1);
  }
  State expected = State::kAsked;
  if (state.compare_exchange_strong(expected, State::kIdle)) return stack;
  // The thread hangs in the handler. New requests are refused until its answer is complete.
  if (state.load() != State::kAnswered) return stack;
  stack.source = source;
  stack.addresses.assign(frames.begin(), frames.begin() + static_cast<ptrdiff_t>(frame_count));
  state = State::kIdle;
  return stack;
}

}  // namespace sparkles
