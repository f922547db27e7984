// Commands that save their progress, and what each attempt must find of the progress before it.
// Two promises: an attempt repeats at most one save interval and the grace of the attempt before,
// unless faults were in the way; and what is restored is never a mix of two saves of one file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "process/process_runner.h"

namespace sparkles {

class World;
struct Machine;

// The --checkpointEvery of all simulated workers.
inline constexpr absl::Duration kSaveInterval = absl::Seconds(60);

class Progress {
 public:
  // Borrows `world`.
  explicit Progress(World& world) : world_(world) {}

  // True if the commands of the task use checkpoints. The same for all attempts.
  static bool UsesCheckpoints(const std::string& task_id);

  // A command begins: checks what is restored, and returns the seconds of work that are done.
  int64_t Begin(const Machine& machine, const std::string& task_id, const Command& command);
  // The command writes that it has done `done` seconds of work.
  void Save(const Machine& machine, const std::string& task_id, const Command& command,
            int64_t done);

  // Checks that each manifest in Cloud Storage names only objects that are there.
  void CheckCheckpoints();

 private:
  // How far the last attempt of a task has come.
  struct Last {
    int64_t done = 0;
    absl::Time at;
    bool disturbed = false;  // lately, by faults
    std::string life;        // LifeOf the task
    int64_t most = 0;        // that an attempt has done in this life; one may start from nothing
  };

  bool HoldsTask(const Machine& machine, const std::string& task_id) const;
  // Identifies the task until it ends or is made anew; "" if there is no such task.
  std::string LifeOf(const std::string& task_id) const;
  void CheckLoss(const Machine& machine, const std::string& task_id, int64_t restored);

  World& world_;
  std::map<std::string, Last> last_;  // by task
  // The objects that manifests named, by key and generation, with the life of the task.
  std::map<std::pair<std::string, int64_t>, std::string> seen_;
};

}  // namespace sparkles
