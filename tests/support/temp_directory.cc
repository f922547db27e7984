#include "tests/support/temp_directory.h"

#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "base/file.h"

namespace sparkles {

namespace {

std::string DefaultParent() {
  const char* parent = getenv("TMPDIR");
  return parent != nullptr ? parent : "/tmp";
}

}  // namespace

TempDirectory::TempDirectory() : TempDirectory(DefaultParent()) {}

TempDirectory::TempDirectory(const std::string& parent) : path_(parent + "/sparkles-test-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) abort();
}

TempDirectory TempDirectory::InMemory() {
  constexpr char kMemory[] = "/dev/shm";
  return TempDirectory(access(kMemory, W_OK) == 0 ? kMemory : DefaultParent());
}

TempDirectory::~TempDirectory() { (void)RemoveTree(path_); }

}  // namespace sparkles
