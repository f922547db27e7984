// A directory for one test, removed with its content.
#pragma once

#include <string>

namespace sparkles {

class TempDirectory {
 public:
  TempDirectory();
  // A directory in memory if possible, because files are fastest there.
  static TempDirectory InMemory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  // The absolute path, without a slash at the end.
  const std::string& path() const { return path_; }
  // path() + "/" + name.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit TempDirectory(const std::string& parent);

  std::string path_;
};

}  // namespace sparkles
