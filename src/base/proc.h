// Reads /proc, or a directory of the same form (`proc_root` in the callers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// Calls `visit` for each entry of `directory` with a number as its name (processes, threads,
// descriptors). False if there is no such entry, or the directory cannot be opened.
bool ForEachNumber(const std::string& directory, absl::FunctionRef<void(int number)> visit);

// True if `proc_root` shows the process ids of this process's own namespace.
bool ShowsOwnIds(const std::string& proc_root);

// The result of one read(2) of `path`, in `buffer`. /proc gives short files whole in one read.
// Empty with errno if the file cannot be read; empty with errno 0 if it is empty.
absl::string_view ReadOnce(const std::string& path, char* buffer, size_t size);

// The whole text of `path`, which may be long; empty if the file cannot be read.
std::string ReadProcFile(const std::string& path);

// The number in the first line "NAME NUMBER", "NAME: NUMBER" or "NAME: NUMBER kB" of `text`.
std::optional<int64_t> FindNumber(absl::string_view text, absl::string_view name);

}  // namespace sparkles
