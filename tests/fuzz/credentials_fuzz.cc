// Fuzzes the reader of credentials files. Any file gives a token source, or an error without
// secrets.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "base/clock.h"
#include "base/json.h"
#include "gcp/credentials_file.h"
#include "http/transport.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

// Fails the test if a request is sent, because making a source must send nothing.
class NoTransport : public HttpTransport {
 public:
  absl::StatusOr<HttpResponse> Send(const HttpRequest&) override {
    Require(false, "nothing is sent before a token is asked for");
    return absl::InternalError("");
  }
};

// True if `text` may be in a message for another reason: it is part of our own text, or of a field
// that may be quoted.
bool IsPublic(const Json& fields, const std::string& text) {
  constexpr absl::string_view kOurs =
      "private_key refresh_token client_secret client_email source_credentials token_uri "
      "service_account_impersonation_url subject_token_type credential_source audience "
      "service_account, authorized_user, external_account or impersonated_service_account";
  if (absl::StrContains(kOurs, text)) return true;
  for (const char* field : {"type", "token_uri", "client_id", "client_email"}) {
    if (absl::StrContains(JsonText(fields, field), text)) return true;
  }
  return false;
}

void CheckNoSecret(const Json& fields, absl::string_view message) {
  // A shorter text may be in a message by chance.
  constexpr size_t kLeastBytes = 12;
  for (const char* field : {"private_key", "refresh_token", "client_secret"}) {
    const std::string secret = JsonText(fields, field);
    if (secret.size() < kLeastBytes || IsPublic(fields, secret)) continue;
    if (secret.find_first_of(" .:;,'") != std::string::npos) continue;
    Require(!absl::StrContains(message, secret), "no error quotes a secret");
  }
}

void Check(absl::string_view input) {
  const absl::StatusOr<Json> fields = ParseJson(input);
  if (!fields.ok()) return;
  NoTransport transport;
  SystemClock clock;
  const auto source = MakeTokenSource(*fields, transport, clock);
  if (source.ok()) {
    Require(*source != nullptr, "a source is a source");
    return;
  }
  Require(absl::IsInvalidArgument(source.status()), "a bad file is InvalidArgument");
  Require(absl::StrContains(source.status().message(), ": "), "an error names its field");
  CheckNoSecret(*fields, source.status().message());
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
