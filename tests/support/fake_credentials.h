// Credentials files for tests, with a private key that is created at run time and is never in git.
#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "base/json.h"
#include "gcp/environment.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace sparkles {

// One RSA key for all tests of this program, with the life of the program.
evp_pkey_st* TestKey();
// The same key in PKCS#8 and PEM form.
std::string TestKeyPem();
// True if `jwt` is signed by TestKey with RS256.
bool HasTestSignature(absl::string_view jwt);
// One of the three parts of a JWT, decoded: 0 the header, 1 the claims.
Json JwtPart(absl::string_view jwt, size_t part);

// The complete, valid fields of a credentials file of each type.
Json ServiceAccountFields();
Json AuthorizedUserFields();
// The subject token is in `subject_file`.
Json ExternalAccountFields(const std::string& subject_file);
Json ImpersonatedFields(const Json& source);

// An environment with only these variables.
Environment EnvironmentOf(std::map<std::string, std::string> variables);

}  // namespace sparkles
