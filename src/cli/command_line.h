// The command line: every command and flag is declared once, here behind one function.
#pragma once

namespace sparkles {

// Parses the arguments, runs the command, and returns the process's exit status.
int RunCommandLine(int argc, char** argv);

}  // namespace sparkles
