// Watches a simulated cluster from the servers' side, and says which promise was broken.
// The one hard idea: it believes nothing that workers say. It sees each change at the moment when
// Datastore or Cloud Storage applies it, and knows which life of which worker has sent it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "gcp/entity.h"
#include "tests/support/fake_gcs.h"

namespace sparkles {

// One life of a worker: it begins when the worker starts and ends when it exits or crashes.
struct Author {
  int vm = 0;  // 0: nobody
  int life = 0;
  friend auto operator<=>(const Author&, const Author&) = default;
};
std::string ToString(const Author& author);

class Judge {
 public:
  static constexpr char kBucket[] = "lab";

  // Borrows `gcs`.
  // `note` is told of all that the servers do, and of what is broken.
  Judge(const FakeGcs& gcs, std::function<void(const std::string&)> note)
      : gcs_(gcs), note_(std::move(note)) {}

  // Whose request a server is about to carry out.
  void SetAuthor(const Author& author) { author_ = author; }

  // What the servers have done; see FakeDatastore::OnChange and FakeGcs::OnStore.
  void Changed(const EntityKey& key, const Json& before, const Json& after, bool in_transaction);
  void Stored(const std::string& key, int64_t generation);

  // What a command wrote, as paths with content, and how it ended.
  void CommandEnded(const Author& author, const std::string& task_id,
                    std::map<std::string, std::string> files, const std::string& exit_code);

  // Whose claim a task is under; vm 0: nobody's.
  Author HolderOf(const std::string& task_id) const;
  // A life that has come to its end in peace must hold nothing any more.
  void CheckHoldsNothing(const Author& author);
  // The name that the worker `vm` has in the queue.
  static std::string OwnerOf(int vm);
  static std::string KeyOf(const std::string& task_id, const std::string& path);

  // For the end: what was completed is still there as it was.
  void CheckWhatIsComplete();
  void Break(const std::string& promise);
  const std::vector<std::string>& broken() const { return broken_; }
  // How many claims, completions and the like there were, by what they made of the task.
  const std::map<std::string, int>& changes() const { return changes_; }

 private:
  struct Run {
    std::map<std::string, std::string> files;
    std::string exit_code;
    bool ended = false;
  };
  struct Delivered {
    int64_t generation = 0;
    Author author;
  };

  void CheckShape(const std::string& id, const Json& before, const Json& after);
  void CheckStep(const std::string& id, const std::string& from, const std::string& to,
                 const Json& after);
  void CheckComplete(const std::string& id, const Json& after);
  void CheckFile(const std::string& id, const Json& file, const Run& run, int64_t result);

  const FakeGcs& gcs_;
  const std::function<void(const std::string&)> note_;
  Author author_;
  std::map<std::string, Author> holders_;    // of tasks
  std::map<std::string, Author> claimants_;  // the last ones, whatever they made of the tasks
  std::map<std::pair<Author, std::string>, Run> runs_;              // by author and task
  std::map<std::string, Delivered> stored_;                         // by key
  std::map<std::string, std::map<std::string, int64_t>> complete_;  // task -> key -> generation
  std::set<std::string> killed_jobs_;
  std::map<std::string, int> changes_;
  std::vector<std::string> broken_;
};

}  // namespace sparkles
