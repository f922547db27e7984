// Google's own Datastore emulator, so that tests meet a real server.
#pragma once

#include <string>

namespace sparkles {

// "127.0.0.1:PORT" of the emulator that tests/run_tests.py runs for this program, from
// SPARKLES_TEST_DATASTORE; the first call waits until it answers. Empty where there is none: skip.
// A child of this program it cannot be: PosixProcessRunner owns all children of its process.
const std::string& EmulatorAddress();

// What a test says when it skips itself.
inline constexpr char kNoEmulator[] =
    "no Datastore emulator: tests/run_tests.py starts it, given java and the package "
    "google-cloud-cli-datastore-emulator";

// A project that no other test uses: the emulator keeps their data apart.
std::string FreshProject();

}  // namespace sparkles
