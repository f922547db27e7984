// Watches a simulated cluster from the servers' side, and says which promise was broken.
// The one hard idea: it believes nothing that workers say. It sees each change at the moment when
// Datastore or Cloud Storage applies it, and knows which life of which worker has sent it, and what
// has gone wrong for that since it made its claim. A bad end needs a reason among those things.
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

  // What a command did.
  struct Run {
    std::map<std::string, std::string> files;  // by path
    std::string printed;
    std::string exit_code;
    bool ended = false;
  };

  // Borrows `gcs` and `clock`.
  // `note` is told of all that the servers do, and of what is broken.
  Judge(const FakeGcs& gcs, Clock& clock, std::function<void(const std::string&)> note)
      : gcs_(gcs), clock_(clock), note_(std::move(note)) {}

  // Whose request a server is about to carry out.
  void SetAuthor(const Author& author) { author_ = author; }

  // What the servers have done; see FakeDatastore::OnChange and FakeGcs::OnStore.
  void Changed(const EntityKey& key, const Json& before, const Json& after, bool by_worker);
  void Stored(const std::string& key, int64_t generation);

  // A worker has looked up the task and its job.
  void LookedUp(const Author& author, const std::string& task_id);
  // A worker sends the commit of a claim, which may be lost on its way.
  void ClaimIsSent(const Author& author, const std::string& task_id) {
    sent_claims_.insert({author.vm, task_id});
  }

  // `attempt`: as the command is told.
  void CommandBegins(const Author& author, const std::string& task_id, const std::string& attempt);
  void CommandEnded(const Author& author, const std::string& task_id, Run run);
  // A fault has struck a request of `author` to Cloud Storage.
  void StorageStruck(const Author& author, Fault fault);
  // No process can be started for the task that `author` has claimed.
  void MachineStruck(const Author& author);

  // Of one life, in this order.
  void LifeBegins(const Author& author);
  void ToldToGo(const Author& author, const std::string& reason, bool at_once);
  void Queried(const Author& author, bool found_nothing);
  void LifeEnds(const Author& author, Consumer::End end, absl::Duration linger);
  // Whether a worker of this machine may have kept a task's folder on purpose.
  bool MayHaveKeptFolders(int vm) const { return keepers_.contains(vm); }

  // From when on the last claim of `author` to the task is void: its job was killed, or somebody
  // has changed the task. Never: in the infinite future.
  absl::Time VoidSince(const Author& author, const std::string& task_id) const;

  // Whose claim a task is under; vm 0: nobody's.
  Author HolderOf(const std::string& task_id) const;
  // A life that has come to its end in peace must hold nothing any more.
  void CheckHoldsNothing(const Author& author);
  static std::string OwnerOf(int vm);  // its name in the queue
  static std::string KeyOf(const std::string& task_id, const std::string& path);

  // For the end: what was completed is still there as it was.
  void CheckWhatIsComplete();
  void Break(const std::string& promise);
  const std::vector<std::string>& broken() const { return broken_; }
  // How many claims, completions and the like there were, by what they made of the task.
  const std::map<std::string, int>& changes() const { return changes_; }

 private:
  // The last claim of one life to one task.
  struct Claim {
    Run run;
    absl::Time since = absl::InfinitePast();
    int attempt = 0;
    bool begun = false;  // its command
    bool over = false;   // by this life itself
    bool handed_back_as_unfit = false;
    bool no_process = false;
    int storage_faults = 0;
    bool job_killed = false;
    absl::Time void_since = absl::InfiniteFuture();
    // Of Cloud Storage, while this was the life's last claim.
    int refusals = 0;       // 403
    int wrong_answers = 0;  // a page of somebody else, a wrong byte, a lost session
  };
  struct Delivered {
    int64_t generation = 0;
    Author author;
  };
  struct Life {
    absl::Time begun;
    absl::Time busy_until;
    std::set<std::string> told_to_stop;  // the reasons
    std::set<std::string> told_to_drain;
    bool found_nothing = false;  // the last query
    bool found_some = false;     // any query
    // Claims in a row that met a fault of the machine; that were handed back as such.
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
  // What the end of the life's last claim, as far as one is known, says of its machine.
  void CountFaults(const Author& author);
  bool HasMachineFault(const Claim& claim) const;
  void Void(const std::string& id);
  void CheckComplete(const std::string& id, const Json& after);
  void CheckFile(const std::string& id, const Json& file, const Run& run, int64_t result);

  const FakeGcs& gcs_;
  Clock& clock_;
  const std::function<void(const std::string&)> note_;
  Author author_;
  std::map<std::string, Author> holders_;    // of tasks
  std::map<std::string, Author> claimants_;  // the last ones, whatever they made of the tasks
  std::map<std::pair<Author, std::string>, Claim> claims_;          // by author and task
  std::map<Author, std::string> last_claimed_;                      // tasks
  std::map<std::string, Delivered> stored_;                         // by key
  std::map<std::string, std::map<std::string, int64_t>> complete_;  // task -> key -> generation
  std::map<Author, Life> lives_;
  std::set<int> keepers_;  // machines
  std::set<std::string> killed_jobs_;
  std::set<std::pair<Author, std::string>> saw_job_alive_;  // of the task
  std::set<std::pair<int, std::string>> sent_claims_;       // by machine and task
  std::map<std::string, int> changes_;
  std::vector<std::string> broken_;
};

}  // namespace sparkles
