// A Cloud Storage on the loopback interface that is much faster than the worker.
// The server does no work on content. The kernel drops uploaded bytes unread, downloads come from
// one block in memory, and checksums come from the bench or the client. So this server cannot prove
// correctness; the tests' server does that.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace sparkles {

// An object whose content is `block`, repeated up to `size` bytes.
struct FastObject {
  std::string block;
  uint64_t size = 0;
  uint32_t crc32c = 0;
};

// One thread serves all connections and keeps them open. HTTP/1.1 without TLS.
class FastGcs {
 public:
  FastGcs();
  ~FastGcs();

  // "http://127.0.0.1:PORT".
  std::string url() const;
  // Delays each answer by `latency` after its request.
  void set_latency(absl::Duration latency) { latency_ns_ = absl::ToInt64Nanoseconds(latency); }
  // Creates the object "BUCKET/NAME". An upload of that name gets its checksum, unless the client
  // declares one.
  void Put(const std::string& name, FastObject object) ABSL_LOCKS_EXCLUDED(mutex_);
  // The number of requests since the start.
  int64_t requests() const { return requests_; }

 private:
  struct Connection;
  struct Request;
  struct Late {
    int64_t due_ns;
    int fd;
    uint64_t serial;  // of the connection, because its descriptor may be reused
    bool operator>(const Late& other) const { return due_ns > other.due_ns; }
  };

  void Serve();
  void Accept();
  // False if the connection must be closed.
  bool Receive(Connection& connection);
  bool BeginRequest(Connection& connection);
  bool Send(Connection& connection);
  void Answer(Connection& connection);
  void AnswerUpload(Connection& connection, const Request& request);
  void AnswerDownload(Connection& connection, const Request& request);
  void SendDelayedAnswers();
  int WaitMilliseconds() const;
  std::shared_ptr<const FastObject> Find(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

  UniqueFd listener_;
  UniqueFd epoll_;
  UniqueFd stop_;  // an eventfd
  int port_ = 0;
  std::atomic<int64_t> latency_ns_ = 0;
  std::atomic<int64_t> requests_ = 0;
  uint64_t next_serial_ = 1;
  std::map<int, std::unique_ptr<Connection>> connections_;  // by descriptor
  std::priority_queue<Late, std::vector<Late>, std::greater<>> late_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<const FastObject>> objects_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// Makes an object whose content is `block`, repeated up to `size` bytes.
FastObject MakeFastObject(std::string block, uint64_t size);

}  // namespace sparkles
