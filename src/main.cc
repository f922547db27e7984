// sparklesworker: see README.md, or run it with --help.
#include <cstdio>
#include <exception>

#include "cli/command_line.h"

int main(int argc, char** argv) {
  try {
    return sparkles::RunCommandLine(argc, argv);
  } catch (const std::exception& error) {
    // Nothing of ours throws; out of memory in a library is what is left.
    (void)fprintf(stderr, "sparklesworker: unexpected error: %s\n", error.what());
    return 1;
  }
}
