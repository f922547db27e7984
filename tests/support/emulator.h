// Gives tests access to Google's Datastore emulator.
#pragma once

#include <string>

namespace sparkles {

// "127.0.0.1:PORT" of the emulator that tests/run_tests.py started, from SPARKLES_TEST_DATASTORE.
// Empty if there is none: skip the test. The first call waits until the emulator answers. This
// program does not start the emulator, because PosixProcessRunner owns all children of its process.
const std::string& EmulatorAddress();

// The message of a skipped test.
inline constexpr char kNoEmulator[] =
    "no Datastore emulator: tests/run_tests.py starts it, given java and the package "
    "google-cloud-cli-datastore-emulator";

// A new project for one test; the emulator separates the data of projects.
std::string FreshProject();

}  // namespace sparkles
