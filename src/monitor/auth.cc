#include "monitor/auth.h"

#include <iterator>

#include "base/hash.h"

namespace sparkles {

bool IsSameSecret(absl::string_view secret, absl::string_view offered) {
  // Compares hashes, so that the time does not depend on the length of the secret.
  const std::string expected = HexHash(HashKind::kSha256, secret);
  const std::string actual = HexHash(HashKind::kSha256, offered);
  unsigned char difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference |= static_cast<unsigned char>(expected[i] ^ actual[i]);
  }
  return difference == 0;
}

grpc::Status SecretCheck::Check(const Metadata& metadata) const {
  const auto [first, last] = metadata.equal_range(kSecretKey);
  // A call with several secrets is refused, too.
  if (first == last || std::next(first) != last ||
      !IsSameSecret(secret_, {first->second.data(), first->second.size()})) {
    return {grpc::StatusCode::UNAUTHENTICATED, "the shared secret is missing or wrong"};
  }
  return grpc::Status::OK;
}

}  // namespace sparkles
