#include "base/hash.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/fd.h"
#include "base/status.h"

namespace sparkles {

Hasher::Hasher(HashKind kind) : context_(EVP_MD_CTX_new()) {
  const EVP_MD* algorithm = kind == HashKind::kSha256 ? EVP_sha256() : EVP_md5();
  // Fails only without memory or in a FIPS-only OpenSSL. The worker cannot work in either case.
  if (!context_ || EVP_DigestInit_ex(context_.get(), algorithm, nullptr) != 1) std::abort();
}

void Hasher::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

void Hasher::Update(absl::string_view data) {
  if (EVP_DigestUpdate(context_.get(), data.data(), data.size()) != 1) std::abort();
}

std::string Hasher::HexDigest() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1) std::abort();
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), size});
}

std::string HexHash(HashKind kind, absl::string_view data) {
  Hasher hasher(kind);
  hasher.Update(data);
  return hasher.HexDigest();
}

absl::StatusOr<std::string> HashFile(HashKind kind, int fd, absl::string_view name,
                                     const Activity& activity) {
  Hasher hasher(kind);
  std::vector<char> buffer(size_t{256} * 1024);
  off_t offset = 0;
  while (true) {
    const ssize_t got =
        RetryOnEintr([&] { return pread(fd, buffer.data(), buffer.size(), offset); });
    if (got < 0) return ErrnoError(errno, name);
    if (got == 0) return hasher.HexDigest();
    hasher.Update({buffer.data(), static_cast<size_t>(got)});
    offset += got;
    RETURN_IF_ERROR(activity.ReportWork());
  }
}

}  // namespace sparkles
