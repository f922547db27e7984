// Simulates the users of the queue, which submit, reset, kill and recreate tasks at any time, with
// writes without preconditions.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace sparkles {

class Client {
 public:
  // Borrows `world`.
  explicit Client(World& world) : world_(world) {}

  void Submit();
  // Disturbs tasks until the weather is calm, then waits until every task has ended. Reports a
  // broken promise if that takes too long.
  void Run();

 private:
  void PutJob(const std::string& job, int tasks);
  Json TaskOf(const std::string& job, int index);
  void DisturbRandomTask();
  void DisturbTask(const std::string& task_id);
  void DisturbJob(const std::string& job);
  void Reset(const std::string& task_id);
  void KillTask(const std::string& task_id);
  // Sets a task to `status` and adds `entry` to its history.
  void Overwrite(const std::string& task_id, const char* status, const char* entry);
  // Resets the tasks of a frozen machine, like a user that takes the machine for dead.
  void ResetFrozen();
  // Resets the tasks of workers that never come back.
  void ResetAbandoned();
  bool AllEnded();
  std::string Unfinished();
  std::string RandomTask();
  std::vector<std::string> TaskIds() const;

  World& world_;
};

}  // namespace sparkles
