// sparklesworker: see README.md, or run it with --help.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "cli/command_line.h"
#include "process/relaunch.h"

namespace {

// A descriptor 0-2 that is closed would be the first file that we open, and messages go there.
void FillStandardDescriptors() {
  while (true) {
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0) fd = open("/", O_RDONLY);  // an image without /dev; writing is then an error
    if (fd > STDERR_FILENO) (void)close(fd);
    if (fd < 0 || fd >= STDERR_FILENO) return;
  }
}

// What was printed has to arrive: scripts go by the exit code.
int ExitCode(int code) {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return code;
  // A reader that has seen enough (`| head`) need not be told.
  if (errno != EPIPE)
    (void)fprintf(stderr, "sparklesworker: standard output: %s\n", strerror(errno));
  return code == 0 ? 1 : code;
}

}  // namespace

int main(int argc, char** argv) {
  sparkles::RunRelaunched(argc, argv);
  FillStandardDescriptors();
  try {
    return ExitCode(sparkles::RunCommandLine(argc, argv));
  } catch (const std::exception& error) {
    // Nothing of ours throws; out of memory in a library is what is left.
    (void)fprintf(stderr, "sparklesworker: unexpected error: %s\n", error.what());
    return 1;
  }
}
