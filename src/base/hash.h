// Computes SHA-256 (names of cached inputs) and MD5 (`fetch --expectMD5`) with OpenSSL.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activity.h"

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace sparkles {

enum class HashKind { kSha256, kMd5 };

// Hashes a stream. Not thread-safe. Use one object for each stream.
class Hasher {
 public:
  explicit Hasher(HashKind kind);
  void Update(absl::string_view data);
  // The hash in lower-case hex. Call once, at the end.
  std::string HexDigest();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string HexHash(HashKind kind, absl::string_view data);

// The hash of the whole file `fd`, which is read from offset 0 with pread. `name` is for the error.
// Each piece is work of `activity`, whose cancellation stops it.
absl::StatusOr<std::string> HashFile(HashKind kind, int fd, absl::string_view name,
                                     const Activity& activity = Activity());

}  // namespace sparkles
