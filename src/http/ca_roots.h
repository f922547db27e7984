// Finds and loads the CA certificates (roots) that servers are checked against.
// The roots are parsed once, because this takes 0.1 s and 1 MB, and all connections share them.
#pragma once

#include <openssl/x509_vfy.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sparkles {

// The roots that are built into this program, in PEM, and their package, whose version is a date:
// "ca-certificates 20230311". The build generates both (third_party/ca_bundle.sh).
extern const char kBuiltInCaRoots[];
extern const char kBuiltInCaRootsOrigin[];

struct CaRoots {
  // If `file` and `directory` are empty, the built-in roots are used.
  std::string file;       // a PEM file, or empty
  std::string directory;  // "/a:/b", directories with files named as OpenSSL demands, or empty
  std::string origin;     // the variable or file that named them, for messages
};

// The files in which Linux distributions keep their roots, most frequent first.
std::vector<std::string> SystemCaFiles();

// The file of SSL_CERT_FILE (or else of CURL_CA_BUNDLE) and the directories of SSL_CERT_DIR. If no
// variable is set, the first readable file of `system_files`. If there is none, the built-in roots.
// `environment` returns the value of a variable, or "" if it is not set.
CaRoots FindCaRoots(const std::function<std::string(const char* name)>& environment,
                    const std::vector<std::string>& system_files = SystemCaFiles());

struct X509StoreDeleter {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
using X509Store = std::unique_ptr<X509_STORE, X509StoreDeleter>;

// FailedPrecondition, with the origin, if a file or directory cannot be read or has no roots.
absl::StatusOr<X509Store> LoadCaRoots(const CaRoots& roots);

}  // namespace sparkles
