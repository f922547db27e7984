// A directory for tests of a file system, removed with its content.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace sparkles {

class ScratchDirectory {
 public:
  // Creates a directory with a new name below `parent`.
  static absl::StatusOr<ScratchDirectory> Create(const std::string& parent);
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;  // empty after a move
};

}  // namespace sparkles
