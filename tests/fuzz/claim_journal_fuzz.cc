// Fuzzes the reader of claim journals, which a crash, a full disk or another program may damage.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "queue/claim_journal.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

void Check(absl::string_view text) {
  const std::vector<JournalEntry> open = ParseJournal(text);
  for (const JournalEntry& entry : open) Require(!entry.task_id.empty(), "each names its task");
  // A line after an incomplete line is still read.
  std::string more(text);
  more +=
      "\n{\"event\":\"claim\",\"project\":\"p\",\"cluster\":\"c\",\"task_id\":\"new.1\","
      "\"owner\":\"o\",\"version\":2,\"claimed_at_us\":3}\n";
  const std::vector<JournalEntry> with_new = ParseJournal(more);
  Require(!with_new.empty() && with_new.back().task_id == "new.1", "the next line counts");
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
