// A directory for tests of a file system, removed with its files. The removal needs no descriptors,
// because a machine without free ones is also checked.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace sparkles {

class ScratchDirectory {
 public:
  // Creates a directory with a new name below `parent`.
  static absl::StatusOr<ScratchDirectory> Create(const std::string& parent);
  ScratchDirectory(ScratchDirectory&& other) noexcept
      : path_(std::exchange(other.path_, "")), files_(std::move(other.files_)) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();

  // The path of the file `name`, which is removed with the directory.
  std::string operator/(const std::string& name) const {
    return files_.emplace_back(path_ + "/" + name);
  }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;  // empty after a move
  mutable std::vector<std::string> files_;
};

}  // namespace sparkles
