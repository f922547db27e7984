// What the certificates of servers are checked against. The one hard idea: the roots are parsed
// once (0.1 s and 1 MB each time) and shared by all connections, wherever they come from.
#pragma once

#include <openssl/x509_vfy.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sparkles {

// The roots that were built into this program, in PEM, and the package they are from, whose version
// is a date: "ca-certificates 20230311". The build makes both (third_party/ca_bundle.sh).
extern const char kBuiltInCaRoots[];
extern const char kBuiltInCaRootsOrigin[];

struct CaRoots {
  std::string file;    // PEM; empty: none
  std::string folder;  // "/a:/b", with a file for each root as OpenSSL names it; empty: none
  std::string origin;  // where this was said, for messages
  // With neither file nor folder: the roots that were built in.
};

// Where Linux distributions keep their roots, most frequent first.
std::vector<std::string> SystemCaFiles();

// The file of SSL_CERT_FILE, else of CURL_CA_BUNDLE, and the folders of SSL_CERT_DIR; without these
// the first of `system_files` that can be read; without such a one the built-in roots.
// `environment` gives the value of a variable, empty if it is not set.
CaRoots FindCaRoots(const std::function<std::string(const char* name)>& environment,
                    const std::vector<std::string>& system_files = SystemCaFiles());

struct X509StoreDeleter {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
using X509Store = std::unique_ptr<X509_STORE, X509StoreDeleter>;

// FailedPrecondition, naming the origin, if a file or folder cannot be read or holds no roots.
absl::StatusOr<X509Store> LoadCaRoots(const CaRoots& roots);

}  // namespace sparkles
