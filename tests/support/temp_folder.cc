#include "tests/support/temp_folder.h"

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

TempFolder::TempFolder() : TempFolder(DefaultParent()) {}

TempFolder::TempFolder(const std::string& parent) : path_(parent + "/sparkles-test-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) abort();
}

TempFolder TempFolder::InMemory() {
  constexpr char kMemory[] = "/dev/shm";
  return TempFolder(access(kMemory, W_OK) == 0 ? kMemory : DefaultParent());
}

TempFolder::~TempFolder() { (void)RemoveTree(path_); }

}  // namespace sparkles
