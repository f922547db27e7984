// Tokens by workload identity federation: a token that some other identity service gave us is
// exchanged for one of Google's.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/json.h"
#include "gcp/token_source.h"
#include "http/transport.h"

namespace sparkles {

class ExternalAccountSource : public TokenSource {
 public:
  // `file`: the fields of a file of type external_account, whose subject token is in a file or
  // behind a URL. Borrows the others. InvalidArgument names the field that is wrong. If the file
  // wants a service account to be impersonated, the source does that too.
  static absl::StatusOr<std::unique_ptr<TokenSource>> Make(const Json& file,
                                                           HttpTransport& transport, Clock& clock);

  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Drop(const AccessToken&) override {}

 private:
  // Where the subject token is; it is read anew each time, since others renew it.
  struct SubjectToken {
    std::string file;  // or, if empty:
    std::string url;
    HttpHeaders headers;
    std::string json_field;  // empty: the whole text is the token
  };

  ExternalAccountSource(HttpTransport& transport, Clock& clock)
      : transport_(transport), clock_(clock) {}
  static absl::StatusOr<SubjectToken> ParseSubject(const Json& file);
  absl::StatusOr<std::string> FetchSubjectToken(const CancelToken& cancel);

  SubjectToken subject_;
  std::string audience_;
  std::string subject_token_type_;
  std::string token_url_;
  std::string user_project_;  // of a workforce pool; empty: none
  HttpTransport& transport_;
  Clock& clock_;
};

}  // namespace sparkles
