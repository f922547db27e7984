// Checks the queue in Datastore: the database, a query, and a write that changes nothing.
#pragma once

#include <string>

#include "base/cancel.h"
#include "doctor/finding.h"
#include "gcp/datastore_client.h"

namespace sparkles {

struct DatastoreTarget {
  std::string project;
  std::string cluster;
};

// Sends the query with which a worker finds pending tasks. Then commits an update of a task that
// does not exist: Datastore checks the permission and answers NOT_FOUND, and nothing changes.
// `cancel` stops only the query; the options of `client` must limit the commit.
void CheckDatastore(DatastoreClient& client, const DatastoreTarget& target,
                    const CancelToken& cancel, Findings& findings);

}  // namespace sparkles
