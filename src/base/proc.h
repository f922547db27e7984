// Reads /proc, or a directory in its form (`proc_root` of the callers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// Calls `visit` for each entry of `folder` whose name is a number: processes, threads, descriptors.
// False if there is none, or the folder cannot be opened.
bool ForEachNumber(const std::string& folder, absl::FunctionRef<void(int number)> visit);

// What one read(2) of `path` gives, in `buffer`: /proc makes short files whole in one read. Empty,
// and errno, if the file cannot be read; empty, and errno 0, if it is empty.
absl::string_view ReadOnce(const std::string& path, char* buffer, size_t size);

// The whole text of `path`, which may be long; empty if it cannot be read.
std::string ReadProcFile(const std::string& path);

// The number of the first line "NAME NUMBER", "NAME: NUMBER" or "NAME: NUMBER kB" of `text` that
// has one.
std::optional<int64_t> FindNumber(absl::string_view text, absl::string_view name);

}  // namespace sparkles
