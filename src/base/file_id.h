// Identifies a file independently of its names.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <optional>
#include <string>

namespace sparkles {

// Unique among the existing files. Some network file systems change it at each stat.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};

inline FileId IdOf(const struct stat& info) { return {info.st_dev, info.st_ino}; }

// The id of the open file `fd`. Nullopt, with errno, if fstat fails.
inline std::optional<FileId> IdOf(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 ? std::optional(IdOf(info)) : std::nullopt;
}

// The id of the file `path`, without following a symlink. Nullopt, with errno, if lstat fails.
inline std::optional<FileId> IdAt(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0 ? std::optional(IdOf(info)) : std::nullopt;
}

}  // namespace sparkles
