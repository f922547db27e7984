// Options, client, clock, log and journal, shared by the classes of the Datastore queue.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "gcp/datastore_client.h"
#include "queue/claim_journal.h"
#include "queue/queue.h"

namespace sparkles {

struct DatastoreQueueOptions {
  std::string cluster;
  std::string owner;                             // what claims say about us; need not be unique
  std::function<std::string()> monitor_address;  // for each claim: "host:port" or empty; null: none
  std::string project = "";                      // for the journal
  // Ends what a dead worker has left running, before its claim is handed back; null: nothing.
  std::function<void()> before_hand_back = nullptr;
  // See process/oom_watch.h. memory_mark is recorded with each claim; memory_since describes the
  // kills since a mark, for the reason of a dead worker's hand-back. Null: not known.
  std::function<std::string()> memory_mark = nullptr;
  std::function<std::string(const std::string& mark)> memory_since = nullptr;
};

struct DatastoreContext {
  const DatastoreQueueOptions options;
  DatastoreClient& client;
  Clock& clock;
  const Log log;
  ClaimJournal* const journal;  // may be null
};

// How often a request is repeated within one call before the caller has to decide.
inline constexpr int kQueueTries = 5;

// Waits before the try with this number, counted from 0. The first two do not wait.
void WaitBeforeTry(int tries, Clock& clock);

}  // namespace sparkles
