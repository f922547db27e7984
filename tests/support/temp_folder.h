// A folder of its own for one test, removed with everything in it.
#pragma once

#include <string>

namespace sparkles {

class TempFolder {
 public:
  TempFolder();
  // Where files cost least, if there is such a place.
  static TempFolder InMemory();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  // Absolute, without a trailing slash.
  const std::string& path() const { return path_; }
  // path() + "/" + name.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit TempFolder(const std::string& parent);

  std::string path_;
};

}  // namespace sparkles
