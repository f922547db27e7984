// Exchanges tokens of another identity service for Google's tokens (workload identity federation).
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
  // `file` has the fields of a file of type external_account, with the subject token in a file or
  // behind a URL. Borrows the others. InvalidArgument names the wrong field. If the file names a
  // service account to impersonate, the source also does that.
  static absl::StatusOr<std::unique_ptr<TokenSource>> Make(const Json& file,
                                                           HttpTransport& transport, Clock& clock);

  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Invalidate(const AccessToken&) override {}

 private:
  // The place of the subject token. The token is read at each Get, because other programs renew it.
  struct SubjectToken {
    std::string file;  // if empty, `url` is used
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
  std::string user_project_;  // of a workforce pool; empty if there is none
  HttpTransport& transport_;
  Clock& clock_;
};

}  // namespace sparkles
