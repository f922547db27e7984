#include "gcp/google_url.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace sparkles {
namespace {

bool IsGoogle(absl::string_view url) { return CheckGoogleUrl(url, "token_uri").ok(); }
bool IsIdentity(absl::string_view url) { return CheckIdentityUrl(url, "url").ok(); }

TEST(GoogleUrlTest, GoogleAndLocalHostsAreAccepted) {
  EXPECT_TRUE(IsGoogle("https://oauth2.googleapis.com/token"));
  EXPECT_TRUE(IsGoogle("https://googleapis.com"));
  EXPECT_TRUE(IsGoogle("HTTPS://STS.GoogleAPIs.com:443/v1/token?a=b"));
  EXPECT_TRUE(IsGoogle("http://127.0.0.1:8080/token"));
  EXPECT_TRUE(IsGoogle("http://127.1.2.3/token"));
  EXPECT_TRUE(IsGoogle("http://[::1]:8080/token"));
  EXPECT_TRUE(IsGoogle("http://localhost:80/"));
}

TEST(GoogleUrlTest, OtherUrlsAreRefused) {
  for (const char* url : {"http://oauth2.googleapis.com/token",
                          "https://googleapis.com.evil.com/token",
                          "https://evilgoogleapis.com/",
                          "https://evil.com/oauth2.googleapis.com",
                          "https://evil.com#.googleapis.com",
                          "https://evil.com?x.googleapis.com",
                          "https://evil.com\\.googleapis.com",
                          "https://a@oauth2.googleapis.com/",
                          "https://oauth2.googleapis.com@evil.com/",
                          "https://evil.com:80@x.googleapis.com/",
                          "https://oauth2.googleapis.com:99999/",
                          "https://oauth2.googleapis.com:/x",
                          "https://evil%2ecom%2f.googleapis.com/",
                          "https://evil.com /.googleapis.com",
                          "https://evil.com\n.googleapis.com/",
                          "ftp://oauth2.googleapis.com/",
                          "file:///etc/passwd",
                          "//oauth2.googleapis.com/",
                          "oauth2.googleapis.com",
                          "",
                          "https://",
                          "http://127.0.0.1.evil.com/",
                          "http://127.evil.com/",
                          "http://10.0.0.1/",
                          "http://2130706433/",
                          "http://localhost.evil.com/"}) {
    EXPECT_FALSE(IsGoogle(url)) << url;
  }
}

TEST(GoogleUrlTest, RefusalNamesFieldAndHostOnly) {
  const absl::Status refused =
      CheckGoogleUrl("https://user:pass@evil.com/path?key=secret", "token_uri");
  EXPECT_EQ(refused.message(),
            "token_uri: 'evil.com' is refused: it must be https on googleapis.com");
}

TEST(IdentityUrlTest, HttpsOrLocalIsRequired) {
  EXPECT_TRUE(IsIdentity("https://token.actions.githubusercontent.com/x?y=z"));
  EXPECT_TRUE(IsIdentity("http://169.254.169.254/metadata/identity"));
  EXPECT_TRUE(IsIdentity("http://localhost:5000/token"));
  EXPECT_FALSE(IsIdentity("http://example.com/token"));
  EXPECT_FALSE(IsIdentity("https://user@example.com/token"));
  EXPECT_FALSE(IsIdentity("file:///etc/passwd"));
}

TEST(UrlAuthorityTest, UserAndPathAreRemoved) {
  EXPECT_EQ(UrlAuthority("http://u:p@h:1/x"), "h:1");
  EXPECT_EQ(UrlAuthority("https://h?key=1"), "h");
  EXPECT_EQ(UrlAuthority("h/x"), "");
  EXPECT_EQ(UrlAuthority("http://a\nb/"), "a\\nb");
}

}  // namespace
}  // namespace sparkles
