// The options, client, clock, log and journal that the classes of the Datastore queue share.
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
  std::string owner;  // the owner in claims; need not be unique
  // Called for each claim. Returns "host:port" or "". May be null.
  std::function<std::string()> monitor_address;
  std::string project = "";  // for the journal
  // Called before the claim of a dead worker is handed back. Ends its leftovers. May be null.
  std::function<void()> before_hand_back = nullptr;
  // The journal records memory_mark with each claim. memory_since describes the kernel's kills
  // since a mark, for the hand-back of a dead worker's claim. See process/oom_watch.h. May be null.
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

// The number of attempts within one call before the caller must decide.
inline constexpr int kQueueTries = 5;

// Waits before attempt number `tries`, counted from 0. The first two do not wait.
void WaitBeforeTry(int tries, Clock& clock);

}  // namespace sparkles
