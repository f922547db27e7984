#include "process/relaunch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/fd.h"
#include "process/launcher.h"

namespace sparkles {
namespace {

// The first argument of a launcher process. No user types this.
constexpr char kMark[] = "(launcher)";
constexpr int kSocketNumber = STDERR_FILENO + 1;

}  // namespace

void Relaunch(int socket, const std::string& proc_root) {
  // This path works even if the program's file has been replaced or removed.
  const std::string self = proc_root + "/self/exe";
  std::string root = proc_root;
  char name[] = "sparklesworker";
  char mark[sizeof kMark];
  memcpy(mark, kMark, sizeof kMark);
  char* arguments[] = {name, mark, root.data(), nullptr};
  const bool in_place = socket == kSocketNumber;
  if (in_place ? fcntl(socket, F_SETFD, 0) != 0 : dup2(socket, kSocketNumber) < 0) return;
  execv(self.c_str(), arguments);
  fcntl(kSocketNumber, F_SETFD, FD_CLOEXEC);
}

void RunRelaunched(int argc, char** argv) {
  int type = 0;
  socklen_t size = sizeof type;
  if (argc != 3 || strcmp(argv[1], kMark) != 0 ||
      getsockopt(kSocketNumber, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return;
  }
  UniqueFd socket(kSocketNumber);
  fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
  RunLauncher(std::move(socket), argv[2]);
}

}  // namespace sparkles
