#include "process/thread_dump.h"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/proc.h"
#include "process/kernel_state.h"
#include "process/thread_stacks.h"

namespace sparkles {
namespace {

constexpr absl::Duration kMaxAnswerWait = absl::Milliseconds(250);
// Higher than the number of threads of any worker. Further threads are counted, but not shown.
constexpr size_t kMaxThreads = 200;

// The program or a shared library, as mapped into memory.
struct Module {
  std::string name;
  std::string build_id;
  uintptr_t base = 0;  // an address minus `base` is the address in the file
  uintptr_t first = UINTPTR_MAX;
  uintptr_t end = 0;
};

std::string BuildIdOf(const char* notes, size_t size) {
  size_t at = 0;
  while (at + sizeof(ElfW(Nhdr)) <= size) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes + at, sizeof note);
    const auto padded = [](size_t bytes) { return (bytes + 3) & ~size_t{3}; };
    const size_t name = at + sizeof note;
    const size_t content = name + padded(note.n_namesz);
    if (content + note.n_descsz > size) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(notes + name, "GNU", 4) == 0) {
      return absl::BytesToHexString(absl::string_view(notes + content, note.n_descsz));
    }
    at = content + padded(note.n_descsz);
  }
  return "";
}

int AddModule(dl_phdr_info* info, size_t, void* argument) {
  Module module;
  const absl::string_view path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  module.name = std::string(path.substr(path.rfind('/') + 1));  // npos + 1 is 0
  if (module.name.empty()) module.name = "sparklesworker";
  module.base = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    const uintptr_t start = info->dlpi_addr + part.p_vaddr;
    if (part.p_type == PT_LOAD) {
      module.first = std::min(module.first, start);
      module.end = std::max(module.end, start + part.p_memsz);
    } else if (part.p_type == PT_NOTE && module.build_id.empty()) {
      module.build_id = BuildIdOf(reinterpret_cast<const char*>(start), part.p_memsz);
    }
  }
  static_cast<std::vector<Module>*>(argument)->push_back(std::move(module));
  return 0;
}

std::string StackText(const ThreadStack& stack, const std::vector<Module>& modules) {
  if (stack.addresses.empty()) return "no stack: the thread does not answer the signal";
  std::string text = stack.source == StackSource::kUnwound ? "stack:" : "stack (scanned):";
  for (size_t i = 0; i < stack.addresses.size(); ++i) {
    // A return address is after the call, perhaps already in another line or function.
    const uintptr_t address = stack.addresses[i] - (i == 0 ? 0 : 1);
    const auto module = std::find_if(modules.begin(), modules.end(), [&](const Module& each) {
      return address >= each.first && address < each.end;
    });
    if (module == modules.end()) {
      absl::StrAppend(&text, " ?+0x", absl::Hex(address));
    } else {
      absl::StrAppend(&text, " ", module->name, "+0x", absl::Hex(address - module->base));
    }
  }
  return text;
}

}  // namespace

void DumpThreads(const std::function<bool(absl::string_view)>& line, const std::string& proc_root) {
  std::vector<Module> modules;
  dl_iterate_phdr(AddModule, &modules);
  const std::string tasks = proc_root + "/self/task";
  std::vector<pid_t> threads;
  ForEachNumber(tasks, [&](pid_t thread) { threads.push_back(thread); });
  const std::string build_id = modules.empty() ? "" : modules[0].build_id;
  bool wants_more = line(
      absl::StrCat(threads.size(), " threads, build id ", build_id.empty() ? "none" : build_id));
  for (size_t i = 0; wants_more && i < std::min(threads.size(), kMaxThreads); ++i) {
    const std::string directory = absl::StrCat(tasks, "/", threads[i]);
    const std::string name = threads[i] == getpid() ? "main" : ThreadName(directory);
    // Read this first, because the signal of ReadThreadStack interrupts the thread.
    const std::string state = DescribeKernelState(directory);
    const std::string head = absl::StrCat("thread ", threads[i], " '", name, "': ");
    wants_more = line(head + state) &&
                 line(head + StackText(ReadThreadStack(threads[i], kMaxAnswerWait), modules));
  }
  if (wants_more && threads.size() > kMaxThreads) line("... and more threads, which are not shown");
}

}  // namespace sparkles
