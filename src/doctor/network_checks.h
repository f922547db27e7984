// Checks CA certificates, the proxy, the connection to each server, and the clock.
#pragma once

#include <string>

#include "base/cancel.h"
#include "base/clock.h"
#include "doctor/finding.h"
#include "gcp/environment.h"
#include "http/ca_roots.h"
#include "http/host_cache.h"
#include "http/transport.h"

namespace sparkles {

void CheckCaRoots(const CaRoots& roots, Findings& findings);

// The proxy for https: its variable, its name, and a TCP connection.
void CheckProxy(const Environment& environment, const HostLookup& look_up,
                const CancelToken& cancel, Findings& findings);

struct Endpoint {
  std::string url;        // "https://storage.googleapis.com", without a path
  bool emulator = false;  // then only a request is sent
  bool proxied = false;   // through a proxy, which looks up the name
};

// Looks up the name, connects to one address of each family, and sends a GET for "/". An HTTP
// answer with any status is good. The finding about the request has the server's name as its thing.
void CheckEndpoint(const Endpoint& endpoint, HttpTransport& transport, const HostLookup& look_up,
                   const CancelToken& cancel, Findings& findings);

// Compares `clock` with the header Date of the answer from `url`.
void CheckClock(const std::string& url, HttpTransport& transport, Clock& clock,
                const CancelToken& cancel, Findings& findings);

}  // namespace sparkles
