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

// If a descriptor 0-2 is closed, the first file that the worker opens would get its number, and
// messages would go into that file.
void FillStandardDescriptors() {
  while (true) {
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0) fd = open("/", O_RDONLY);  // for an image without /dev; a write then fails
    if (fd > STDERR_FILENO) (void)close(fd);
    if (fd < 0 || fd >= STDERR_FILENO) return;
  }
}

// Scripts check the exit code, so output that was not written must change it.
int ExitCode(int code) {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return code;
  // A reader such as `head` closes the pipe early, which is not an error.
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
    // This project throws nothing. The remaining case is a library without memory.
    (void)fprintf(stderr, "sparklesworker: unexpected error: %s\n", error.what());
    return 1;
  }
}
