// The people and programs on the other side of the queue: they submit, reset, kill and make anew,
// at any time, with plain puts.
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
  // Meddles until the weather is calm, then waits until every task has come to its end. If that
  // takes for ever, a promise is broken.
  void Run();

 private:
  void PutJob(const std::string& job, int tasks);
  Json TaskOf(const std::string& job, int index);
  void Meddle();
  void MeddleWithTask(const std::string& task_id);
  void MeddleWithJob(const std::string& job);
  void Reset(const std::string& task_id);
  void KillTask(const std::string& task_id);
  // Sets a task to `status`, with `entry` in its history.
  void Overwrite(const std::string& task_id, const char* status, const char* entry);
  // As who takes a frozen machine for a dead one.
  void ResetFrozen();
  // Puts back what a worker left behind that will never come back.
  void ResetAbandoned();
  bool AllEnded();
  std::string Unfinished();
  std::string RandomTask();
  std::vector<std::string> TaskIds() const;

  World& world_;
};

}  // namespace sparkles
