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
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/proc.h"
#include "process/thread_stacks.h"

namespace sparkles {
namespace {

constexpr absl::Duration kPatience = absl::Milliseconds(250);
// More threads than the worker ever has; the rest is only counted.
constexpr size_t kMaxThreads = 200;

// A part of the process's memory that comes from a file.
struct Module {
  std::string name;
  std::string build_id;
  uintptr_t base = 0;  // what to take off an address to get that in the file
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

// One line, or several joined; empty if it cannot be read.
std::string ReadText(const std::string& path, absl::string_view separator) {
  char buffer[8192];
  const absl::string_view text = ReadOnce(path, buffer, sizeof buffer);
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  std::string joined;
  for (const absl::string_view line : lines) {
    absl::StrAppend(&joined, joined.empty() ? "" : separator, line);
  }
  return joined;
}

// "S (sleeping)" of /proc/TID/status.
std::string StateOf(const std::string& status) {
  for (absl::string_view line : absl::StrSplit(status, '\v')) {
    if (absl::ConsumePrefix(&line, "State:")) {
      return std::string(absl::StripAsciiWhitespace(line));
    }
  }
  return "state unknown";
}

std::string KernelPlace(const std::string& folder) {
  std::string place;
  const std::string wchan = ReadText(folder + "/wchan", "");
  if (!wchan.empty() && wchan != "0") absl::StrAppend(&place, ", waits in ", wchan);
  const std::string call = ReadText(folder + "/syscall", "");
  if (!call.empty()) absl::StrAppend(&place, ", system call ", call.substr(0, call.find(' ')));
  const std::string stack = ReadText(folder + "/stack", " < ");
  if (!stack.empty()) absl::StrAppend(&place, ", kernel stack: ", stack);
  return place;
}

std::string StackText(const ThreadStack& stack, const std::vector<Module>& modules) {
  if (stack.addresses.empty()) return "no stack: it does not answer";
  std::string text = stack.source == StackSource::kUnwound ? "stack:" : "stack (scanned):";
  for (size_t i = 0; i < stack.addresses.size(); ++i) {
    // The call, not what comes after it, which may be another line or even function.
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
  bool goes_on = line(
      absl::StrCat(threads.size(), " threads, build id ", build_id.empty() ? "none" : build_id));
  for (size_t i = 0; goes_on && i < std::min(threads.size(), kMaxThreads); ++i) {
    const std::string folder = absl::StrCat(tasks, "/", threads[i]);
    const std::string name = threads[i] == getpid() ? "main" : ReadText(folder + "/comm", "");
    // Before it is interrupted, which changes what it does.
    const std::string state = StateOf(ReadText(folder + "/status", "\v")) + KernelPlace(folder);
    const std::string head = absl::StrCat("thread ", threads[i], " '", name, "': ");
    goes_on = line(head + state) &&
              line(head + StackText(ReadThreadStack(threads[i], kPatience), modules));
  }
  if (goes_on && threads.size() > kMaxThreads) line("... and more threads, which are not shown");
}

}  // namespace sparkles
