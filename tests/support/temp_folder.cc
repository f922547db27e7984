#include "tests/support/temp_folder.h"

#include <stdlib.h>

#include "base/file.h"

namespace sparkles {

TempFolder::TempFolder() {
  const char* parent = getenv("TMPDIR");
  path_ = std::string(parent != nullptr ? parent : "/tmp") + "/sparkles-test-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) abort();
}

TempFolder::~TempFolder() { (void)RemoveTree(path_); }

}  // namespace sparkles
