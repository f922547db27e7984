#include "http/ca_roots.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace sparkles {
namespace {

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

absl::Status CannotUse(const CaRoots& roots, absl::string_view reason) {
  ERR_clear_error();  // the error queue belongs to the thread, and later calls read it
  return absl::FailedPreconditionError(
      absl::StrCat("CA certificates of ", roots.origin, ": ", reason,
                   "; set SSL_CERT_FILE to a PEM file with the CA certificates to trust"));
}

absl::Status AddPem(absl::string_view pem, X509_STORE& store) {
  const std::unique_ptr<BIO, BioDeleter> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  int count = 0;
  while (true) {
    const std::unique_ptr<X509, X509Deleter> certificate(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) break;  // OpenSSL reports the end as an error
    if (X509_STORE_add_cert(&store, certificate.get()) == 1) ++count;
  }
  ERR_clear_error();
  return count > 0 ? absl::OkStatus() : absl::InternalError("no certificate found");
}

bool HasDirectory(const std::string& paths) {
  const std::vector<std::string> directories = absl::StrSplit(paths, ':');
  return std::any_of(directories.begin(), directories.end(), [](const std::string& directory) {
    struct stat info;
    return stat(directory.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  });
}

}  // namespace

std::vector<std::string> SystemCaFiles() {
  return {
      "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Alpine, Arch
      "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL
      "/etc/ssl/ca-bundle.pem",                             // SUSE
      "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // newer RHEL
      "/etc/ssl/cert.pem",                                  // Alpine, BSD
  };
}

CaRoots FindCaRoots(const std::function<std::string(const char* name)>& environment,
                    const std::vector<std::string>& system_files) {
  CaRoots roots;
  const auto take = [&](const char* name, std::string& place) {
    const std::string value = environment(name);
    if (value.empty() || !place.empty()) return;
    place = value;
    absl::StrAppend(&roots.origin, roots.origin.empty() ? "" : " and ", name, " (", value, ")");
  };
  take("SSL_CERT_FILE", roots.file);
  take("CURL_CA_BUNDLE", roots.file);
  take("SSL_CERT_DIR", roots.directory);
  if (!roots.origin.empty()) return roots;
  for (const std::string& file : system_files) {
    if (access(file.c_str(), R_OK) != 0) continue;
    roots.file = roots.origin = file;
    return roots;
  }
  roots.origin = "this program";
  return roots;
}

absl::StatusOr<X509Store> LoadCaRoots(const CaRoots& roots) {
  X509Store store(X509_STORE_new());
  if (store == nullptr) return CannotUse(roots, "out of memory");
  // As in libcurl, a trusted certificate need not be self-signed.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  if (roots.file.empty() && roots.directory.empty()) {
    const absl::Status added = AddPem(kBuiltInCaRoots, *store);
    if (!added.ok()) return CannotUse(roots, added.message());
    return store;
  }
  if (!roots.file.empty() && X509_STORE_load_file(store.get(), roots.file.c_str()) != 1) {
    return CannotUse(roots, "the file cannot be read or has no certificate");
  }
  // OpenSSL opens the directories only when it needs a root, so it does not report missing ones.
  if (!roots.directory.empty() &&
      (!HasDirectory(roots.directory) ||
       X509_STORE_load_path(store.get(), roots.directory.c_str()) != 1)) {
    return CannotUse(roots, "no such directory");
  }
  return store;
}

}  // namespace sparkles
