// Contains the version and the commit. The Makefile defines the three macros for this file only.
#include "cli/version.h"

#include "absl/strings/str_cat.h"
#include "http/ca_roots.h"
#include "http/curl_transport.h"

#ifndef SPARKLES_VERSION  // for tools that compile this file without the Makefile
#define SPARKLES_VERSION "unknown"
#define SPARKLES_COMMIT "unknown"
#define SPARKLES_LANE "unknown"
#endif

namespace sparkles {

std::string WorkerVersion() { return SPARKLES_VERSION; }

// Clients up to 5.8.4 send one of these two.
bool IsExpectedVersion(absl::string_view version) {
  return version == SPARKLES_VERSION || version == "5.0.0" || version == "5.8.2";
}

std::string VersionLine() {
  return "sparklesworker " SPARKLES_VERSION " (commit " SPARKLES_COMMIT ", " SPARKLES_LANE " lane)";
}

std::string VersionDetails() {
  return absl::StrCat(VersionLine(), "\nlibraries: ", HttpLibraryVersions(),
                      "\nbuilt-in CA certificates: ", kBuiltInCaRootsOrigin);
}

}  // namespace sparkles
