#include "tests/support/emulator.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fd.h"

namespace sparkles {
namespace {

// Prints the path of the emulator's jar, wherever the Cloud SDK was installed; fails without Java.
constexpr char kFindJar[] = R"sh(
  command -v java >/dev/null || exit 1
  dpkg -L google-cloud-cli-datastore-emulator 2>/dev/null | grep '/CloudDatastore\.jar$' && exit
  sdk=$(dirname "$(dirname "$(readlink -f "$(command -v gcloud)")")")
  ls "$sdk/platform/cloud-datastore-emulator/CloudDatastore.jar" 2>/dev/null)sh";

constexpr absl::Duration kBootTime = absl::Seconds(60);

std::string FindJar() {
  FILE* pipe = popen(kFindJar, "r");
  if (pipe == nullptr) return "";
  std::string path;
  char buffer[4096];
  while (fgets(buffer, sizeof buffer, pipe) != nullptr) path += buffer;
  pclose(pipe);
  return std::string(absl::StripAsciiWhitespace(path.substr(0, path.find('\n'))));
}

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int FreePort() {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return 0;
  }
  return ntohs(address.sin_port);
}

// Whether the emulator answers its health check.
bool IsUp(int port) {
  const UniqueFd socket_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  if (connect(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return false;
  }
  constexpr char kRequest[] = "GET / HTTP/1.0\r\n\r\n";
  char answer[64];
  return write(socket_fd.get(), kRequest, sizeof kRequest - 1) > 0 &&
         read(socket_fd.get(), answer, sizeof answer) > 0;
}

// Whoever started it, it may still be booting.
void AwaitBoot(int port) {
  for (const absl::Time end = absl::Now() + kBootTime; absl::Now() < end;) {
    if (IsUp(port)) return;
    absl::SleepFor(absl::Milliseconds(50));
  }
  std::fprintf(stderr, "the emulator on port %d did not come up within %s\n", port,
               absl::FormatDuration(kBootTime).c_str());
  std::abort();
}

// In the child: becomes the emulator, which dies with this program.
[[noreturn]] void BecomeEmulator(pid_t parent, const std::string& jar, const std::string& port) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  const int null = open("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2}) dup2(null, fd);
  // It leaves a folder WEB-INF where it runs.
  char folder[] = "/tmp/sparkles-emulator-XXXXXX";
  if (mkdtemp(folder) == nullptr || chdir(folder) != 0) _exit(1);
  // Its data stays in memory, and what is written is found at once.
  execlp("java", "java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
         jar.c_str(), "com.google.cloud.datastore.emulator.CloudDatastore", "start",
         "--host=127.0.0.1", port.c_str(), "--store_on_disk=false", "--consistency=1.0", nullptr);
  _exit(1);
}

}  // namespace

DatastoreEmulator* DatastoreEmulator::Shared() {
  static const std::unique_ptr<DatastoreEmulator> emulator = Start();
  return emulator.get();
}

std::unique_ptr<DatastoreEmulator> DatastoreEmulator::Start() {
  const char* running = getenv("SPARKLES_TEST_DATASTORE");
  if (running != nullptr && *running != '\0') {
    const std::string address = running;
    AwaitBoot(std::atoi(address.substr(address.rfind(':') + 1).c_str()));
    return std::unique_ptr<DatastoreEmulator>(new DatastoreEmulator(address, 0));
  }
  const std::string jar = FindJar();
  const int port = FreePort();
  if (jar.empty() || port == 0) return nullptr;
  const std::string port_option = absl::StrCat("--port=", port);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return nullptr;
  if (pid == 0) BecomeEmulator(parent, jar, port_option);
  std::unique_ptr<DatastoreEmulator> emulator(
      new DatastoreEmulator(absl::StrCat("127.0.0.1:", port), pid));
  AwaitBoot(port);
  return emulator;
}

DatastoreEmulator::~DatastoreEmulator() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string FreshProject() {
  static std::atomic<int> count = 0;
  return absl::StrCat("test-", getpid(), "-", ++count);
}

}  // namespace sparkles
