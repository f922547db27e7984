// Runs a fuzz target on the files of a directory (TARGET DIRECTORY), so that tests replay the
// corpus with any compiler.

#include <fcntl.h>
#include <stdio.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/directory.h"
#include "base/file.h"
#include "base/status.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace sparkles {
namespace {

constexpr size_t kMaxInputBytes = 1 << 20;

absl::StatusOr<int> Replay(const std::string& directory) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(directory, O_RDONLY | O_DIRECTORY));
  int count = 0;
  RETURN_IF_ERROR(ForEachEntry(fd.get(), directory, [&](const char* entry, unsigned char) {
    const auto input = ReadFile(directory + "/" + entry, kMaxInputBytes);
    RETURN_IF_ERROR(input.status());
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input->data()), input->size());
    ++count;
    return absl::OkStatus();
  }));
  if (count == 0) return absl::NotFoundError(directory + ": no inputs");
  return count;
}

}  // namespace
}  // namespace sparkles

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
    return 2;
  }
  const absl::StatusOr<int> count = sparkles::Replay(argv[1]);
  if (!count.ok()) {
    fprintf(stderr, "%s\n", std::string(count.status().message()).c_str());
    return 1;
  }
  printf("%d inputs replayed\n", *count);
  return 0;
}
