// Decides which files a save sends, and in which order. Uses neither the disk nor the store.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"
#include "checkpoint/scan.h"

namespace sparkles {

// The last saved or restored version of a file.
struct KnownFile {
  SavedFile saved;
  FileStamp stamp;  // of the local file that has this content
  // False if the file was so young that its stamp may not show the next change.
  bool stamp_is_sure = false;
};
using KnownFiles = std::map<std::string, KnownFile>;  // by path

// The files of `scan` that are new or changed.
std::vector<ScannedFile> ChangedFiles(const Scan& scan, const KnownFiles& known);

// The paths in `known` that `scan` does not have any more.
std::vector<std::string> RemovedPaths(const Scan& scan, const KnownFiles& known);

// Sorts the newest files first, by whole seconds of mtime, and then the smallest files first. A
// save may not have the time for all files.
void PutMostValuableFirst(std::vector<ScannedFile>& files);

}  // namespace sparkles
