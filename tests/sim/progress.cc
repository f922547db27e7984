#include "tests/sim/progress.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/hash.h"
#include "checkpoint/manifest.h"
#include "queue/task_entity.h"
#include "tests/sim/entities.h"
#include "tests/sim/world.h"

namespace sparkles {
namespace {

// Lines in a file of progress. All are the same, unless the file is a mix of two saves.
constexpr int kLines = 20;
// A step of work, the grace of a command, and time for requests that are repeated.
constexpr absl::Duration kSlack = absl::Seconds(30);

std::string DirectoryOf(const Command& command) {
  for (absl::string_view variable : command.environment) {
    if (absl::ConsumePrefix(&variable, "SPARKLES_CHECKPOINT_DIR=")) return std::string(variable);
  }
  return "";
}

bool IsRestored(const Command& command) {
  for (const std::string& variable : command.environment) {
    if (absl::StartsWith(variable, "SPARKLES_RESTORED=")) return true;
  }
  return false;
}

// Files that do not change in each step, so that one checkpoint has objects of several saves.
constexpr const char* kFiles[] = {"step", "sub/slow"};
int64_t ValueIn(const char* file, int64_t done) {
  return absl::string_view(file) == "step" ? done : done / 100 * 100;
}

}  // namespace

bool Progress::UsesCheckpoints(const std::string& task_id) {
  return HexHash(HashKind::kMd5, task_id)[0] < 'a';
}

// False if the claim was lost, which the worker may not have noticed yet.
bool Progress::HoldsTask(const Machine& machine, const std::string& task_id) const {
  return world_.judge.HolderOf(task_id) == Author{machine.number, machine.life};
}

std::string Progress::LifeOf(const std::string& task_id) const {
  const Json entity = world_.datastore.Get({kTaskKind, task_id});
  if (entity.is_null()) return "";
  const Json history = HistoryOf(entity);
  int ends = 0;
  for (const Json& entry : history) ends += IsFinal(EntryText(entry, "status")) ? 1 : 0;
  return absl::StrCat(DumpJson(history.front()), " ", ends);
}

int64_t Progress::Begin(const Machine& machine, const std::string& task_id,
                        const Command& command) {
  int64_t restored = 0;
  for (const char* file : kFiles) {
    const std::string path = absl::StrCat(DirectoryOf(command), "/", file);
    const auto content = ReadFile(path, 100'000);
    if (!content.ok()) continue;  // the first save may have been cut short
    if (!IsRestored(command)) {
      world_.judge.Break(absl::StrCat(task_id, ": ", file, " is there, but nothing was restored"));
    }
    const std::vector<std::string> lines = absl::StrSplit(*content, '\n', absl::SkipEmpty());
    for (const std::string& line : lines) {
      if (lines.size() == kLines && line == lines.front()) continue;
      world_.judge.Break(absl::StrCat(task_id, ": ", file, " is a mix of two saves"));
      break;
    }
    int64_t value = 0;
    (void)absl::SimpleAtoi(lines.empty() ? "" : lines.front(), &value);
    if (file == kFiles[0]) restored = value;
  }
  if (restored > 0) ++world_.measured["an attempt that continues"];
  CheckLoss(machine, task_id, restored);
  return restored;
}

void Progress::CheckLoss(const Machine& machine, const std::string& task_id, int64_t restored) {
  if (!HoldsTask(machine, task_id)) return;
  const std::string life = LifeOf(task_id);
  const auto found = last_.find(task_id);
  if (found == last_.end() || found->second.life != life) {
    if (restored > 0) {
      world_.judge.Break(absl::StrCat(task_id, ": restored, but no attempt was there before"));
    }
    return;
  }
  const Last& last = found->second;
  if (restored > last.most) {
    world_.judge.Break(absl::StrCat(task_id, ": restored more than was ever done"));
  }
  if (last.disturbed || !World::QuietSince(machine, last.at)) return;
  ++world_.measured["a loss without an excuse"];
  if (absl::Seconds(last.done - restored) <= kSaveInterval + kSlack) return;
  world_.judge.Break(absl::StrCat(task_id, ": ", last.done - restored,
                                  " s of work are repeated, and nothing was in the way"));
}

void Progress::Save(const Machine& machine, const std::string& task_id, const Command& command,
                    int64_t done) {
  for (const char* file : kFiles) {
    const std::string path = absl::StrCat(DirectoryOf(command), "/", file);
    std::string content;
    for (int i = 0; i < kLines; ++i) absl::StrAppend(&content, ValueIn(file, done), "\n");
    const auto old = ReadFile(path, 100'000);
    if (old.ok() && *old == content) continue;
    (void)MakeDirectories(DirectoryOf(path));
    const absl::Status written = WriteFileAtomically(path, content, /*durable=*/false);
    if (!written.ok()) world_.judge.Break(std::string(written.message()));
  }
  if (!HoldsTask(machine, task_id)) return;
  const std::string life = LifeOf(task_id);
  const absl::Time now = world_.server_clock.Now();
  Last& last = last_[task_id];
  const int64_t most = last.life == life ? std::max(last.most, done) : done;
  last = {done, now, !World::QuietSince(machine, now - 2 * kSaveInterval), life, most};
}

void Progress::CheckCheckpoints() {
  const std::string prefix = absl::StrCat(Judge::kBucket, "/out%2F");
  const std::string suffix = absl::StrCat("%2Fsparkles-checkpoint%2F", kManifestName);
  for (const std::string& key : world_.gcs.KeysBelow(prefix)) {
    absl::string_view task_id = key;
    if (!absl::ConsumeSuffix(&task_id, suffix)) continue;
    absl::ConsumePrefix(&task_id, prefix);
    const absl::StatusOr<Manifest> manifest = ParseManifest(world_.gcs.Get(key).value_or(""));
    if (!manifest.ok()) continue;  // has a wrong byte, which its worker notices
    // After the end of the task no attempt uses the manifest, and the removal may fail half-way.
    const Json entity = world_.datastore.Get({kTaskKind, std::string(task_id)});
    if (!entity.is_null() && IsFinal(EntryText(HistoryOf(entity).back(), "status"))) continue;
    const std::string life = LifeOf(std::string(task_id));
    const std::string directory = key.substr(0, key.size() - std::string(kManifestName).size());
    for (const SavedFile& file : manifest->files) {
      const std::string object = directory + file.object;
      if (world_.gcs.GenerationOf(object) == file.generation) {
        seen_[{object, file.generation}] = life;
        continue;
      }
      // Not seen: a wrong byte in the manifest. Of an earlier life: the task has ended since, and a
      // delayed request has made the manifest once more, which no attempt uses.
      const auto seen = seen_.find({object, file.generation});
      if (seen == seen_.end() || seen->second != life) continue;
      world_.judge.Break(absl::StrCat(key, ": its object ", file.object, " is missing"));
    }
  }
}

}  // namespace sparkles
