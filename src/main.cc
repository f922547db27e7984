// The entry point of sparklesworker.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "cli/command_line.h"
#include "process/relaunch.h"

namespace {

// Opens closed descriptors 0-2. Otherwise the next opened file would get such a number, and
// messages would go into that file.
void FillStandardDescriptors() {
  while (true) {
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0) fd = open("/", O_RDONLY);  // for images without /dev; writes then fail
    if (fd > STDERR_FILENO) (void)close(fd);
    if (fd < 0 || fd >= STDERR_FILENO) return;
  }
}

// Returns an error code if output could not be written, because scripts rely on the exit code.
int ExitCode(int code) {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return code;
  // A reader that closes the pipe early, such as `head`, needs no message.
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
    // Only libraries throw, for example if memory runs out.
    (void)fprintf(stderr, "sparklesworker: unexpected error: %s\n", error.what());
    return 1;
  }
}
