// The seam to stores of inputs and results. An object has a URL, and is whole or absent.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activity.h"

namespace sparkles {

struct ObjectInfo {
  uint64_t size = 0;       // bytes
  uint32_t crc32c = 0;     // of the content, as acknowledged by the store
  int64_t generation = 0;  // the store's version number; 0 if it has none
};

// One object of a directory.
struct ListedObject {
  std::string name;        // without the directory
  int64_t generation = 0;  // 0 where the store has none
};

struct UploadOptions {
  // The generation that the object at the URL probably has; 0 if there is probably none. A right
  // guess saves requests. `before_replacing` is called only after a wrong guess. Stores without
  // versions ignore it.
  int64_t known_generation = 0;
  // May be empty. Called on the upload's thread before an object is replaced, when its version is
  // known: no other version is replaced. An error keeps the object as it is: Cancelled ends the
  // upload, any other error is retried. Stores without versions (file://) do not call it.
  std::function<absl::Status()> before_replacing = nullptr;
  // Empty: found by the extension of the name, else by the first bytes. Stores without content
  // types (file://) ignore it.
  std::string content_type = {};
};

// Append moves the new bytes by way of an object with this suffix, and removes that object.
inline constexpr char kPartSuffix[] = ".sparkles-part";

// All methods are thread-safe and block. Each piece of a transfer is work of `activity`. A piece
// that is sent, fetched or read again has no new bytes. Messages begin with the URL. Errors of all
// methods:
//   NotFound: the object, or the bucket or directory to read from, does not exist;
//   PermissionDenied;
//   InvalidArgument: the URL cannot be one of this store;
//   Cancelled: `activity` was cancelled;
//   machine fault: for example, the local disk is full, or the retries have used up their time;
//   all others: the store failed, and a retry would not help.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Writes the whole object to the empty regular file `fd` (open for reading and writing), at
  // offset 0, and checks it end to end. After an error the content of the file is undefined.
  virtual absl::StatusOr<ObjectInfo> Download(const std::string& url, int fd,
                                              const Activity& activity) = 0;

  // Stores the whole content of the regular file `fd` (read by offset; its position is not used)
  // under `url`, replacing what was there. On success the object is complete under its name, with
  // the size and checksum returned. On error the old object is intact. A file that changes while it
  // is read gives Aborted.
  virtual absl::StatusOr<ObjectInfo> Upload(int fd, const std::string& url,
                                            const UploadOptions& options,
                                            const Activity& activity) = 0;

  // The same for a few bytes.
  virtual absl::StatusOr<ObjectInfo> UploadBytes(absl::string_view bytes, const std::string& url,
                                                 const UploadOptions& options,
                                                 const Activity& activity) = 0;

  // Stores the first `size` bytes of the regular file `fd`, which may grow meanwhile, under `url`.
  // `object` is what an earlier call returned for `url`: its content is taken for the first bytes
  // of the file, and only the others move. An empty `object` ({}) is replaced like in Upload. Call
  // it again with the same parameters after an error that leaves the result unknown. Errors:
  // FailedPrecondition if the object at `url` is not `object` any more, and stays as it is;
  // DataLoss if the store has joined other bytes, and the object is wrong; Aborted if the file
  // changes in the bytes that move; Unimplemented if the store cannot join objects (file://).
  virtual absl::StatusOr<ObjectInfo> Append(int fd, uint64_t size, const std::string& url,
                                            const ObjectInfo& object, const UploadOptions& options,
                                            const Activity& activity) = 0;

  // The content of a small object; nullopt if there is none. FailedPrecondition if it is longer
  // than `max_bytes`. `generation`, which may be null, receives the generation of the object.
  virtual absl::StatusOr<std::optional<std::string>> ReadBytes(const std::string& url,
                                                               size_t max_bytes,
                                                               const Activity& activity,
                                                               int64_t* generation = nullptr) = 0;

  // An error if the store would refuse an upload to `url`: PermissionDenied, NotFound (no such
  // bucket) and, if `replace`, FailedPrecondition (the present object must stay). Makes no object.
  // OK if the store cannot tell. The answer may be minutes old.
  virtual absl::Status CheckWritable(const std::string& url, bool replace,
                                     const Activity& activity) = 0;

  // Removes the object if it has that generation. OK also if there is no object, or one of another
  // generation. Stores without versions remove what is there, and its directory if that is empty.
  virtual absl::Status Remove(const std::string& url, int64_t generation,
                              const Activity& activity) = 0;

  // The objects directly in the directory `url` (without a slash at its end), in no order; none if
  // there is no such directory. Ends after `max` objects.
  virtual absl::StatusOr<std::vector<ListedObject>> List(const std::string& url, size_t max,
                                                         const Activity& activity) = 0;

  // Returns when all earlier uploads survive a power cut. After an error this is unknown for all of
  // them, and a second Flush does not try them again.
  virtual absl::Status Flush() = 0;
};

}  // namespace sparkles
