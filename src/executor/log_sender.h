// Sends the growing log of a task to its object, and completes the object when the task has ended.
// A small log is sent whole. Of a longer log only the new bytes are sent (ObjectStore::Append).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "storage/object_store.h"

namespace sparkles {

// The known state of the log's object.
struct SentLog {
  // The last known version, whose content is the beginning of the log. Empty if none is known.
  ObjectInfo object = {};
  // The size of the log after a sent part whose result is unknown. 0 if there is none.
  uint64_t tried = 0;
  // The log has become shorter, so its beginning may have changed.
  bool rewritten = false;
};

enum class LogSend { kNothing, kWhole, kPart };

struct LogStep {
  LogSend send = LogSend::kNothing;
  uint64_t size = 0;  // bytes of the log that the object has afterwards
};

// A log of at most this many bytes is sent whole.
inline constexpr uint64_t kWholeLogBytes = uint64_t{4} << 20;

// The next send for a log of `size` bytes while the command runs.
LogStep PlanLogSend(uint64_t size, const SentLog& sent);

// Used by one thread at a time.
class LogSender {
 public:
  // Borrows all. `fd` is the open log. Calls wait until the object may be changed again (once a
  // second), unless `stop` is cancelled.
  LogSender(ObjectStore& store, Clock& clock, int fd, std::string url, const CancelToken& stop)
      : store_(store), clock_(clock), fd_(fd), url_(std::move(url)), stop_(stop) {}

  // Sends the log if it has changed. Before the first send, tests with the object URL.sparkles-part
  // that objects can be replaced. After an error, another call can succeed unless gave_up().
  absl::Status Send(const UploadOptions& options, const Activity& activity);
  // True after an error that would repeat. Send then does nothing.
  bool gave_up() const { return gave_up_; }
  // True if the worker may not replace objects. Then nothing was sent.
  bool refused() const { return refused_; }

  // Stores the whole log like ObjectStore::Upload. Of a long log that was sent before, sends only
  // the rest, and compares the checksum of the whole log with that of the object. Uploads the whole
  // log if the checksums differ, after any error but Cancelled, if sending the rest takes more than
  // a minute, or if `may_append` is false. May be called again after the log has grown.
  absl::StatusOr<ObjectInfo> Deliver(bool may_append, const UploadOptions& options,
                                     const Activity& activity);

 private:
  absl::StatusOr<uint64_t> Size() const;
  absl::Status TestReplacement(const UploadOptions& options, const Activity& activity);
  void WaitBetweenChanges();
  absl::Status SendWhole(uint64_t size, UploadOptions options, const Activity& activity);
  absl::Status SendPart(uint64_t size, const UploadOptions& options, const Activity& activity);
  bool CanComplete() const;
  absl::Status Complete(const UploadOptions& options, const Activity& sending,
                        const Activity& reading);

  ObjectStore& store_;
  Clock& clock_;
  const int fd_;
  const std::string url_;
  const CancelToken& stop_;
  absl::Time changed_at_ = absl::InfinitePast();  // when Send or Complete last changed the object
  bool replaceable_ = false;
  bool gave_up_ = false;
  bool refused_ = false;
  SentLog sent_;
};

}  // namespace sparkles
