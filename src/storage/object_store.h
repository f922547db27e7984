// The seam to where inputs come from and results go: objects with a URL, whole or absent.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cancel.h"

namespace sparkles {

struct ObjectInfo {
  uint64_t size = 0;       // bytes
  uint32_t crc32c = 0;     // of the content, as this store acknowledged it
  int64_t generation = 0;  // the store's own version number; 0 where it has none
};

// Called as bytes move, from the thread that moves them, with the number of new bytes.
using OnBytes = std::function<void(uint64_t bytes)>;

struct TransferOptions {
  OnBytes on_bytes;                     // may be empty
  const CancelToken* cancel = nullptr;  // may be null; a cancelled transfer ends with Cancelled
  // May be empty. What an upload calls, on its thread, before it replaces an object, when it knows
  // which version that is: nothing but this version will be replaced. An error keeps the object as
  // it is: Cancelled ends the upload, any other is worth another try. Stores without versions
  // (file://) do not call it.
  std::function<absl::Status()> before_replacing = nullptr;
  // May be empty; called by any thread of the transfer for each piece it has to do with, also one
  // that on_bytes was told of before: what is sent, fetched or read once more is work all the same.
  std::function<void()> alive = nullptr;
  // For an upload. Empty: found by the extension of the name, else by the first bytes.
  // Stores without content types (file://) ignore it.
  std::string content_type = {};

  // What a transfer calls for each piece that has moved; 0 is a sign of life. Cancelled, with the
  // token's reason, if it is to stop.
  absl::Status Report(uint64_t bytes) const {
    if (on_bytes) on_bytes(bytes);
    if (cancel == nullptr || !cancel->cancelled()) return absl::OkStatus();
    return absl::CancelledError(cancel->reason());
  }
};

// All methods are thread-safe and blocking. Errors, for all: NotFound (no such object, or bucket or
// folder to read from), PermissionDenied, InvalidArgument (the URL cannot be one of this store),
// Cancelled, machine fault (the local disk is full, the store cannot be reached although retried
// for long ...), anything else: the store failed for good. Messages begin with the URL.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Writes the whole object to the empty regular file `fd` (open for reading and writing), at
  // offset 0, and checks it end to end. After an error the content of the file is undefined.
  virtual absl::StatusOr<ObjectInfo> Download(const std::string& url, int fd,
                                              const TransferOptions& options) = 0;

  // Stores the whole content of the regular file `fd` (read by offset; its position is not used)
  // under `url`, replacing what was there. On success the object is complete under its name, with
  // the size and checksum returned. On error the old object is intact. A file that changes while it
  // is read gives Aborted.
  virtual absl::StatusOr<ObjectInfo> Upload(int fd, const std::string& url,
                                            const TransferOptions& options) = 0;

  // The same for a few bytes.
  virtual absl::StatusOr<ObjectInfo> UploadBytes(absl::string_view bytes, const std::string& url,
                                                 const TransferOptions& options) = 0;

  // The content of a small object; nullopt if there is none. FailedPrecondition if it is longer
  // than `max_bytes`.
  virtual absl::StatusOr<std::optional<std::string>> ReadBytes(const std::string& url,
                                                               size_t max_bytes,
                                                               const TransferOptions& options) = 0;

  // An error if the store would refuse an upload to `url`: PermissionDenied, NotFound (no such
  // bucket) and, if `replace`, FailedPrecondition (the present object must stay). Makes no object.
  // OK if the store cannot tell; Cancelled as above.
  // The answer may be minutes old.
  virtual absl::Status CheckWritable(const std::string& url, bool replace,
                                     const TransferOptions& options) = 0;

  // Returns when everything that was uploaded so far survives a power cut. After an error that is
  // unknown for all of it, and only another upload can cure that: a second Flush does not try the
  // same again.
  virtual absl::Status Flush() = 0;
};

}  // namespace sparkles
