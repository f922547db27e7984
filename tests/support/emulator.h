// Google's own Datastore emulator, so that tests meet a real server.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

namespace sparkles {

class DatastoreEmulator {
 public:
  // One for the whole test program, started at the first call and stopped at its end: that of
  // SPARKLES_TEST_DATASTORE ("host:port") if somebody else runs one for us, else our own on a free
  // port of the loopback interface. Null where Java or the emulator is not installed: skip then.
  // Call it first on the main thread: our own dies with the thread that starts it.
  static DatastoreEmulator* Shared();

  ~DatastoreEmulator();
  DatastoreEmulator(const DatastoreEmulator&) = delete;
  DatastoreEmulator& operator=(const DatastoreEmulator&) = delete;

  const std::string& host() const { return host_; }  // "127.0.0.1:PORT"

 private:
  DatastoreEmulator(std::string host, pid_t pid) : host_(std::move(host)), pid_(pid) {}
  static std::unique_ptr<DatastoreEmulator> Start();

  const std::string host_;
  const pid_t pid_;  // 0: not ours
};

// What a test says when it skips itself.
inline constexpr char kNoEmulator[] =
    "no Datastore emulator: needs java and the package google-cloud-cli-datastore-emulator";

// A project that no other test uses: the emulator keeps their data apart.
std::string FreshProject();

}  // namespace sparkles
