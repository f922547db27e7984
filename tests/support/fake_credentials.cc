#include "tests/support/fake_credentials.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sparkles {
namespace {

std::string Decoded(absl::string_view text) {
  std::string bytes;
  return absl::WebSafeBase64Unescape(text, &bytes) ? bytes : "";
}

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

evp_pkey_st* TestKey() {
  static const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(2048),
                                                                       &EVP_PKEY_free);
  return key.get();
}

std::string TestKeyPem() {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_PKCS8PrivateKey(bio.get(), TestKey(), nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

bool HasTestSignature(absl::string_view jwt) {
  const size_t dot = jwt.rfind('.');
  if (dot == absl::string_view::npos) return false;
  const absl::string_view text = jwt.substr(0, dot);
  const std::string signature = Decoded(jwt.substr(dot + 1));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, TestKey()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text),
                          text.size()) == 1;
}

Json JwtPart(absl::string_view jwt, size_t part) {
  const std::vector<absl::string_view> parts = absl::StrSplit(jwt, '.');
  return part < parts.size() ? ParseJson(Decoded(parts[part])).value_or(Json()) : Json();
}

Json ServiceAccountFields() {
  return {{"type", "service_account"},
          {"project_id", "file-project"},
          {"private_key_id", "key-7"},
          {"private_key", TestKeyPem()},
          {"client_email", "worker@p.iam.gserviceaccount.com"},
          {"token_uri", "https://oauth2.googleapis.com/token"}};
}

Json AuthorizedUserFields() {
  return {{"type", "authorized_user"},
          {"client_id", "id-1"},
          {"client_secret", "client-secret/+1"},
          {"refresh_token", "1//refresh-token"},
          {"quota_project_id", "quota-project"}};
}

Json ExternalAccountFields(const std::string& subject_file) {
  return {{"type", "external_account"},
          {"audience", "//iam.googleapis.com/projects/1/locations/global/pool"},
          {"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"},
          {"token_url", "https://sts.googleapis.com/v1/token"},
          {"credential_source", {{"file", subject_file}}}};
}

Json ImpersonatedFields(const Json& source) {
  return {{"type", "impersonated_service_account"},
          {"service_account_impersonation_url",
           "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
           "target@p.iam.gserviceaccount.com:generateAccessToken"},
          {"delegates", Json::array({"middle@p.iam.gserviceaccount.com"})},
          {"source_credentials", source}};
}

Environment EnvironmentOf(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
  };
}

}  // namespace sparkles
