// Calls the Monitor of a worker, for the commands `status` and `logs`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "monitor/process_status.h"

namespace sparkles {

struct OutputPiece {
  std::string data;
  int64_t new_offset = 0;
  bool at_end = false;
  // The Go worker does not send these:
  bool complete = false;  // the task has ended, and this is the last piece of its log
  bool was_cut = false;   // the log is shorter than the offset; new_offset is 0
};

// Thread-safe. Errors have gRPC's code and begin with the address. Unavailable means that no server
// answers at the address, or that it has another certificate.
class MonitorClient {
 public:
  // Timeout of a call.
  static constexpr absl::Duration kTimeout = absl::Seconds(20);

  // True if `secret` is printable ASCII. gRPC aborts the process on other secrets.
  static bool CanSend(absl::string_view secret);

  // `address` is host:port. The server must have `certificate` (PEM). Its host name is not checked.
  // `target` has the numeric addresses ("ipv4:10.0.0.1:6032,10.0.0.2:6032"). If it is empty, gRPC
  // resolves the host with the C library.
  MonitorClient(std::string address, const std::string& certificate, std::string secret,
                const std::string& target = "");
  ~MonitorClient();
  MonitorClient(const MonitorClient&) = delete;
  MonitorClient& operator=(const MonitorClient&) = delete;

  absl::StatusOr<OutputPiece> ReadOutput(const std::string& task_id, int64_t offset, int32_t size);
  absl::StatusOr<ProcessStatus> GetProcessStatus();

 private:
  class Stub;

  const std::string address_;
  const std::string secret_;
  const std::unique_ptr<Stub> stub_;
};

}  // namespace sparkles
