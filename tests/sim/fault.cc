#include "tests/sim/fault.h"

#include <iterator>

namespace sparkles {
namespace {

constexpr absl::string_view kNames[] = {
    "refused",       "lost",    "answer lost", "late",     "twice",     "status",  "forbidden",
    "contention",    "garbage", "delay",       "cut",      "flip",      "session", "not listed",
    "outage",        "crash",   "vanish",      "pause",    "term",      "hurry",   "drain",
    "machine fault", "reset",   "kill job",    "recreate", "kill task", "repeat",  "delete"};
static_assert(std::size(kNames) == static_cast<size_t>(Fault::kCount));

}  // namespace

absl::string_view NameOf(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

}  // namespace sparkles
