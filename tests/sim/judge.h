// Watches a simulated cluster from the servers' side and reports broken promises.
// The judge trusts no worker. It sees each change when Datastore or Cloud Storage applies it, and
// knows which life of which worker sent the change and which faults that life has met since its
// claim. Every bad end needs one of these faults as its reason.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/json.h"
#include "gcp/entity.h"
#include "tests/sim/author.h"
#include "tests/sim/fault.h"
#include "tests/support/fake_gcs.h"
#include "worker/consumer.h"

namespace sparkles {

class Judge {
 public:
  static constexpr char kBucket[] = "lab";

  // The result of a command.
  struct Run {
    std::map<std::string, std::string> files;  // by path
    std::string printed;
    std::string exit_code;
    bool ended = false;
  };

  // Borrows `gcs` and `clock`. `note` receives every action of the servers and every broken
  // promise.
  Judge(const FakeGcs& gcs, Clock& clock, std::function<void(const std::string&)> note)
      : gcs_(gcs), clock_(clock), note_(std::move(note)) {}

  // Sets the author of the request that a server is about to execute.
  void SetAuthor(const Author& author) { author_ = author; }

  // Called for each change; see FakeDatastore::OnChange and FakeGcs::OnStore.
  void Changed(const EntityKey& key, const Json& before, const Json& after, bool by_worker);
  void Stored(const std::string& key, int64_t generation);

  // A worker has looked up the task and its job.
  void LookedUp(const Author& author, const std::string& task_id);
  // A worker sends the commit of a claim. The commit may be lost.
  void ClaimIsSent(const Author& author, const std::string& task_id) {
    sent_claims_.insert({author.vm, task_id});
  }

  // `attempt`: the number that the command receives.
  void CommandBegins(const Author& author, const std::string& task_id, const std::string& attempt);
  void CommandEnded(const Author& author, const std::string& task_id, Run run);
  // A fault has struck a request of `author` to Cloud Storage.
  void StorageFaultInjected(const Author& author, Fault fault);
  // No process can be started for the task that `author` has claimed.
  void MachineFaultInjected(const Author& author);

  // Called for one life, in this order.
  void LifeBegins(const Author& author);
  void StopRequested(const Author& author, const std::string& reason, bool at_once);
  void Queried(const Author& author, bool found_nothing);
  void LifeEnds(const Author& author, Consumer::End end, absl::Duration linger);
  // True if a worker of this machine may have kept a task's directory on purpose.
  bool MayHaveKeptDirectories(int vm) const { return vms_with_kept_outputs_.contains(vm); }

  // The time since which the last claim of `author` to the task is void, because its job was killed
  // or a client changed the task. Infinite future if the claim is valid.
  absl::Time VoidSince(const Author& author, const std::string& task_id) const;

  // The holder of the task's claim; vm 0 if there is none.
  Author HolderOf(const std::string& task_id) const;
  // Checks that a life that has ended normally holds no claim.
  void CheckHoldsNothing(const Author& author);
  static std::string OwnerOf(int vm);  // its name in the queue
  static std::string KeyOf(const std::string& task_id, const std::string& path);

  // At the end of the run, checks that the results of complete tasks are unchanged.
  void CheckCompleteTasks();
  void Break(const std::string& promise);
  const std::vector<std::string>& broken() const { return broken_; }
  // The number of claims, completions and so on, by the new status of the task.
  const std::map<std::string, int>& changes() const { return changes_; }

 private:
  // The last claim of one life to one task.
  struct Claim {
    Run run;
    absl::Time since = absl::InfinitePast();
    int attempt = 0;
    bool begun = false;  // its command has started
    bool over = false;   // this life has ended the claim itself
    bool handed_back_as_unfit = false;
    bool no_process = false;
    int storage_faults = 0;
    bool job_killed = false;
    absl::Time void_since = absl::InfiniteFuture();
    // Answers of Cloud Storage while this was the life's last claim.
    int refusals = 0;       // 403
    int wrong_answers = 0;  // a page of another server, a wrong byte, a lost session
  };
  struct Delivered {
    int64_t generation = 0;
    Author author;
  };
  struct Life {
    absl::Time begun;
    absl::Time busy_until;
    std::set<std::string> told_to_stop;  // reasons
    std::set<std::string> told_to_drain;
    bool found_nothing = false;  // result of the last query
    bool found_some = false;     // result of any query
    // Consecutive claims that met a machine fault, and those that were handed back because of one.
    int faults_in_a_row = 0;
    int unfit_in_a_row = 0;
  };

  void JobChanged(const std::string& job, const Json& after);
  void CheckStep(const std::string& id, const std::string& to, const Json& before,
                 const Json& after);
  void CheckFirstStep(const std::string& step, const std::string& id, const std::string& to,
                      const Json& before, const Json& after);
  void CheckRevocation(const std::string& step, const std::string& id, const Json& after);
  void CheckEnd(const std::string& step, const std::string& id, const std::string& to,
                const Json& after);
  void CheckHandBack(const std::string& step, const std::string& id, const Json& after);
  void Claimed(const std::string& id, const Json& after);
  // Counts the end of the life's last claim for or against its machine.
  void CountFaults(const Author& author);
  bool HasMachineFault(const Claim& claim) const;
  void Void(const std::string& id);
  void CheckComplete(const std::string& id, const Json& after);
  void CheckFile(const std::string& id, const Json& file, const Run& run, int64_t result);

  const FakeGcs& gcs_;
  Clock& clock_;
  const std::function<void(const std::string&)> note_;
  Author author_;
  std::map<std::string, Author> holders_;                   // by task
  std::map<std::string, Author> claimants_;                 // the last claimant of each task
  std::map<std::pair<Author, std::string>, Claim> claims_;  // by author and task
  std::map<Author, std::string> last_claimed_;  // the task that each author claimed last
  std::map<std::string, Delivered> stored_;     // by key
  std::map<std::string, std::map<std::string, int64_t>> complete_;  // task -> key -> generation
  std::map<Author, Life> lives_;
  std::set<int> vms_with_kept_outputs_;  // machines
  std::set<std::string> killed_jobs_;
  std::set<std::pair<Author, std::string>> saw_job_alive_;  // of the task
  std::set<std::pair<int, std::string>> sent_claims_;       // by machine and task
  std::map<std::string, int> changes_;
  std::vector<std::string> broken_;
};

}  // namespace sparkles
