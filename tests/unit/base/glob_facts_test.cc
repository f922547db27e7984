// Tests what patterns match. Each row of the first table was checked against the library
// github.com/bmatcuk/doublestar v1.1.1. The second table lists the intended differences.
#include <gtest/gtest.h>

#include "absl/strings/string_view.h"
#include "base/glob.h"

namespace sparkles {
namespace {

struct Fact {
  absl::string_view pattern;
  absl::string_view path;
  bool matches;
};

void Check(const Fact& fact) {
  const absl::StatusOr<Glob> glob = Glob::Parse(fact.pattern);
  ASSERT_TRUE(glob.ok()) << glob.status();
  EXPECT_EQ(glob->Matches(fact.path), fact.matches)
      << "pattern " << fact.pattern << ", path " << fact.path;
}

constexpr Fact kSameAsDoublestar[] = {
    // plain names
    {"abc", "abc", true},
    {"abc", "ab", false},
    {"abc", "abcd", false},
    {"a/b", "a/b", true},
    {"a/b", "a", false},
    {"a/b", "a/b/c", false},
    // one element
    {"*", "abc", true},
    {"*", ".hidden", true},
    {"*", "a/b", false},
    {"*c", "abc", true},
    {"a*", "a", true},
    {"a*", "abc", true},
    {"a*", "ab/c", false},
    {"a*/b", "abc/b", true},
    {"a*/b", "a/c/b", false},
    {"*.txt", ".txt", true},
    {"*.txt", "a.txt", true},
    {"*.txt", "a.txt.gz", false},
    {"*.txt", "d/a.txt", false},
    {"a*b*c", "abc", true},
    {"a*b*c", "axbxbxc", true},
    {"a*b*c", "axcxb", false},
    {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
    {"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},
    {"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false},
    {"a*b*c*d*e*/f", "axbxcxdxexxx/fff", false},
    {"a*b?c*x", "abxbbxdbxebxczzx", true},
    {"a*b?c*x", "abxbbxdbxebxczzy", false},
    {"*x", "xxx", true},
    {"*/*", "a/b", true},
    {"*/*", "a", false},
    {"*/*", "a/b/c", false},
    {"?", "a", true},
    {"?", ".", true},
    {"?", "ab", false},
    {"a?b", "a/b", false},
    {"a*b", "a/b", false},
    {"??", "é", false},
    {"?", "é", true},
    {"a?b", "a☺b", true},
    {"a???b", "a☺b", false},
    {"?", "日", true},
    {"日*", "日本", true},
    {"*本", "日本", true},
    // directories
    {"**", "a", true},
    {"**", "a/b/c", true},
    {"**", ".git/config", true},
    {"a/**", "a", false},
    {"a/**", "a/b", true},
    {"a/**", "a/b/c", true},
    {"a/**", "ab/c", false},
    {"abc/**", "abc/b", true},
    {"**/c", "c", true},
    {"**/c", "b/c", true},
    {"**/c", "a/b/c", true},
    {"**/c", "a/b", false},
    {"**/c", "abcd", false},
    {"**/c", "a/abc", false},
    {"**/c", "c/d", false},
    {"**/c/**", "c", false},
    {"**/c/**", "c/d", true},
    {"**/c/**", "a/c/d/e", true},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "a/xb", false},
    {"a/**/b", "ab", false},
    {"a/**/*", "a", false},
    {"a/**/*", "a/b", true},
    {"a/**/*", "a/b/c", true},
    {"**/**", "a", true},
    {"**/**/x", "x", true},
    {"**/**/x", "a/b/x", true},
    {"**/*.csv", "out.csv", true},
    {"**/*.csv", "a/b/out.csv", true},
    {"**/*.csv", "a/b/out.csv/x", false},
    {"**/.*", "a/.b", true},
    {"**/.*", "a/b", false},
    {"a/**/b/**/c", "a/b/c", true},
    {"a/**/b/**/c", "a/1/b/2/3/c", true},
    {"a/**/b/**/c", "a/1/c/b", false},
    {"a/*/**/b", "a/b", false},
    {"a/*/**/b", "a/x/b", true},
    {"*/**", "a", false},
    {"*/**", "a/b", true},
    // ** inside an element is *
    {"abc**", "abc", true},
    {"abc**", "abcd", true},
    {"abc**", "abc/b", false},
    {"a**b", "ab", true},
    {"a**b", "axxb", true},
    {"a**b", "a/b", false},
    {"**b", "ab", true},
    {"**b", "a/b", false},
    // sets
    {"ab[c]", "abc", true},
    {"ab[b-d]", "abc", true},
    {"ab[e-g]", "abc", false},
    {"ab[^c]", "abc", false},
    {"ab[^b-d]", "abc", false},
    {"ab[^e-g]", "abc", true},
    {"a[^a]b", "a☺b", true},
    {"a[^a][^a][^a]b", "a☺b", false},
    {"[a-ζ]*", "α", true},
    {"*[a-ζ]", "A", false},
    {"[a-cx-z]", "y", true},
    {"[a-cx-z]", "d", false},
    {"[abc]", "b", true},
    {"[a^]", "^", true},
    {"[z-a]", "m", false},
    {"[\\]a]", "]", true},
    {"[\\-]", "-", true},
    {"[x\\-]", "x", true},
    {"[x\\-]", "-", true},
    {"[x\\-]", "z", false},
    {"[\\-x]", "x", true},
    {"[\\-x]", "-", true},
    {"[\\-x]", "a", false},
    {"[\\^a]", "^", true},
    {"[[]", "[", true},
    {"[*]", "*", true},
    {"[*]", "a", false},
    {"[?]", "?", true},
    {"a[^x]b", "a/b", false},
    {"a[+-9]b", "a/b", false},
    {"a[+-9]b", "a.b", true},
    {"a]", "a]", true},
    // braces
    {"ab{c,d}", "abc", true},
    {"ab{c,d}", "abd", true},
    {"ab{c,d}", "abe", false},
    {"ab{c,d,*}", "abcde", true},
    {"{a,b}", "a", true},
    {"{a,b}", "b", true},
    {"{a,b}", "ab", false},
    {"{a,b}c", "bc", true},
    {"{a,b}{c,d}", "bc", true},
    {"{a,b}/c", "b/c", true},
    {"*.{csv,tsv}", "x.tsv", true},
    {"*.{csv,tsv}", "x.txt", false},
    {"**/*.{csv,tsv}", "d/e/x.csv", true},
    {"a{,b}c", "ac", true},
    {"a{,b}c", "abc", true},
    {"a{}b", "ab", true},
    {"{a}", "a", true},
    {"{[ab],?c}", "b", true},
    {"{[ab],?c}", "xc", true},
    {"{a\\,b,c}", "a,b", true},
    {"{a\\}b,c}", "a}b", true},
    {"{**,a}", "b", true},
    {"a,b", "a,b", true},
    {"a}", "a}", true},
    // escapes
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"a\\*b", "ab", false},
    {"a\\*b", "a*b", true},
    {"\\?", "a", false},
    {"\\[a]", "[a]", true},
    {"\\{a,b}", "{a,b}", true},
    {"\\a", "a", true},
    {"\\\\", "\\", true},
    {"\\é", "é", true},
    {"a/\\**", "a/b", false},
    {"a/\\**", "a/*b", true},
    // cleaning
    {"./a", "a", true},
    {"a//b/", "a/b", true},
    {"./a//./b/", "a/b", true},
    {"sub/../x", "x", true},
    {"a/b/../../x", "x", true},
    {"**/../x", "x", true},
    {"[a]*/../x", "x", true},
    {"a/./**", "a/b", true},
    {"./**", "a/b", true},
    {".", "a", false},
};

TEST(GlobFacts, MatchesLikeDoublestar) {
  for (const Fact& fact : kSameAsDoublestar) Check(fact);
}

// The comment above each group ends with the behaviour of doublestar v1.1.1.
constexpr Fact kBetterThanDoublestar[] = {
    // Braces may contain braces, '/' and **. doublestar: an error, or a split at the wrong place.
    {"{a,{b,c}}", "c", true},
    {"{a,{b,c}}", "c}", false},
    {"{a,{b,{c,d}e}f}", "cef", true},
    {"{a/b,c}", "a/b", true},
    {"{a/b,c}/d", "c/d", true},
    {"{a/b,c}/d", "a/d", false},
    {"x{,/y}", "x", true},
    {"x{,/y}", "x/y", true},
    {"x/{**,y}/z", "x/z", true},
    {"x/{**,y}/z", "x/a/b/z", true},
    {"{a/**,b}/z", "a/z", true},
    {"{a/**,b}/z", "a/b/c/z", true},
    {"{a/**,b}/z", "b/c/z", false},
    {"{a/{b,**},c}/d/e", "a/x/y/d/e", true},
    {"{a,b/**}", "b", false},
    {"{a,b/**}", "b/c/d", true},
    {"{**/,}x", "a/b/x", true},
    {"{**/,}x", "x", true},
    {"{a/,b/}**/c", "a/x/c", true},
    {"{,a}**", "ab/c", false},
    {"{./a,b}/c", "a/c", true},
    {"a/{.,b}/c", "a/c", true},
    {"a/{.,b}/c", "a/b/c", true},
    {"{a,.}", "a", true},
    {"{[}],a}", "}", true},
    {"{[,],a}", ",", true},
    // The last alternative may be empty. doublestar: no match.
    {"a{b,}", "a", true},
    {"*{,.gz}", "x", true},
    // A third star has no effect. doublestar: must match a character.
    {"a***", "a", true},
    {"***", "a/b", false},
    // A star before a character of two bytes. doublestar: skips the match.
    {"*b", "\u00e9ab", true},
    // '!' negates, as in a shell. doublestar: an ordinary member.
    {"[!a]", "b", true},
    {"[!a]", "a", false},
    {"[!a]", "!", true},
    {"[\\!a]", "!", true},
    // An escaped backslash does not escape the next character. doublestar: the set has no end.
    {"[\\\\]", "\\", true},
    // Invalid bytes differ. doublestar: such a byte equals any other, and U+FFFD.
    {"\xff", "\xff", true},
    {"\xff", "\xfe", false},
    {"\xff", "\u00ff", false},
    {"\ufffd", "\xff", false},
    {"?", "\xff", true},
    {"a?b", "a\xe2\x82z", false},
    {"a??z", "a\xe2\x82z", true},
    {"[^a]", "\xff", true},
};

TEST(GlobFacts, DiffersFromDoublestarOnPurpose) {
  for (const Fact& fact : kBetterThanDoublestar) Check(fact);
}

}  // namespace
}  // namespace sparkles
