// Parses the command line and runs the command.
#pragma once

namespace sparkles {

// Parses the arguments, runs the command, and returns the process's exit code.
int RunCommandLine(int argc, char** argv);

}  // namespace sparkles
