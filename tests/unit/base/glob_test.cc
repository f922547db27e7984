#include "base/glob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;

Glob Parsed(absl::string_view pattern) {
  absl::StatusOr<Glob> glob = Glob::Parse(pattern);
  if (!glob.ok()) ADD_FAILURE() << glob.status();
  return *std::move(glob);
}

std::string Repeat(absl::string_view text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) absl::StrAppend(&repeated, text);
  return repeated;
}

TEST(Glob, MalformedPatternsAreRefusedAndQuoted) {
  for (const absl::string_view pattern :
       {"[a",  "[",       "[^",    "[]",   "[]a]", "[^]",   "[!]",      "[a-]",  "[-a]",
        "[-]", "[a-b-c]", "[a--]", "[x\\", "[\\]", "[a/b]", "[\\/]",    "[a-/]", "{a",
        "{",   "{a,{b}",  "a{",    "a\\",  "\\",   "a\\/b", "ab{c,d}[", "{a,[}"}) {
    const absl::Status status = Glob::Parse(pattern).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << pattern;
    EXPECT_THAT(std::string(status.message()), HasSubstr("pattern \"")) << pattern;
  }
  EXPECT_THAT(std::string(Glob::Parse("x[oops").status().message()), HasSubstr("\"x[oops\""));
}

TEST(Glob, PatternsOutsideDirectoryAreRefused) {  // D08
  for (const absl::string_view pattern :
       {"/", "/etc/*", "..", "../x", "a/../../x", "./../x", "\\.\\./x", "{/etc,a}", "{..,a}/x",
        "a/{..,b}", "a/{b,../../c}", "{a/,b/}../x", "a/{/b,c}", "{b,c/d}/../x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Glob::Parse(pattern).status())) << pattern;
  }
}

TEST(Glob, HugeAndDeepPatternsAreRefused) {
  EXPECT_TRUE(Glob::Parse(std::string(Glob::kMaxPatternBytes, 'a')).ok());
  const absl::Status huge = Glob::Parse(std::string(Glob::kMaxPatternBytes + 1, 'a')).status();
  EXPECT_TRUE(absl::IsInvalidArgument(huge));
  EXPECT_LT(huge.message().size(), 300u) << "the message must quote only the start";
  EXPECT_TRUE(Glob::Parse(Repeat("{", 100) + Repeat("}", 100)).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Glob::Parse(Repeat("{", 101) + Repeat("}", 101)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Glob::Parse(Repeat("{", 30'000)).status()));
}

// A backtracking matcher needs exponential time for each of these patterns.
TEST(Glob, MatchingTimeIsNotExponential) {
  const std::string many(10'000, 'a');
  EXPECT_FALSE(Parsed("a*a*a*a*a*a*a*a*b").Matches(many));
  EXPECT_TRUE(Parsed("a*a*a*a*a*a*a*a*b").Matches(many + "b"));
  EXPECT_FALSE(Parsed(Repeat("a*", 100) + "b").Matches(many));

  const Glob braces = Parsed(Repeat("{a,a}", 30));
  EXPECT_TRUE(braces.Matches(std::string(30, 'a')));
  EXPECT_FALSE(braces.Matches(std::string(29, 'a')));
  EXPECT_FALSE(Parsed(Repeat("{*,*a}", 50) + "b").Matches(many));
  EXPECT_TRUE(Parsed(Repeat("{a,{a,", 50) + "b" + Repeat("}}", 50)).Matches("b"));

  const std::string deep = Repeat("d/", 2'000);
  EXPECT_FALSE(Parsed(Repeat("**/", 50) + "x").Matches(deep + "y"));
  EXPECT_TRUE(Parsed(Repeat("**/", 50) + "x").Matches(deep + "x"));
  EXPECT_FALSE(Parsed(Repeat("{**,d}/", 30) + "x").Matches(deep + "y"));
}

TEST(Glob, LongestAllowedPatternMatches) {
  const std::string half = Repeat("{a,?}", Glob::kMaxPatternBytes / 10);
  EXPECT_TRUE(Parsed(half + "*").Matches(Repeat("a", Glob::kMaxPatternBytes / 10)));
}

TEST(Glob, StepwiseMatchEqualsWholeMatch) {
  for (const absl::string_view pattern :
       {"**", "a/**/x", "*/b/{x,**}", "{a,b}/**", "a/b/x", "**/b/*"}) {
    const Glob glob = Parsed(pattern);
    Glob::States states = glob.Start();
    for (const absl::string_view piece : {"a", "/", "b/", "x"})
      states = glob.Advance(states, piece);
    EXPECT_EQ(glob.Accepts(states), glob.Matches("a/b/x")) << pattern;
  }
}

bool CanContinueBelow(absl::string_view pattern, absl::string_view directory) {
  const Glob glob = Parsed(pattern);
  return glob.CanContinue(glob.Advance(glob.Start(), absl::StrCat(directory, "/")));
}

TEST(Glob, DetectsDirectoryWithoutMatches) {
  EXPECT_TRUE(CanContinueBelow("**", "a"));
  EXPECT_TRUE(CanContinueBelow("a/*.txt", "a"));
  EXPECT_TRUE(CanContinueBelow("{a,b}/c/*", "b/c"));
  EXPECT_TRUE(CanContinueBelow("a/**/x", "a/b/c"));
  EXPECT_FALSE(CanContinueBelow("*", "a"));
  EXPECT_FALSE(CanContinueBelow("a/*.txt", "b"));
  EXPECT_FALSE(CanContinueBelow("a/*.txt", "a/b"));
  EXPECT_FALSE(CanContinueBelow("{a,b}", "a"));
  EXPECT_FALSE(CanContinueBelow("a**", "ab"));
  EXPECT_FALSE(CanContinueBelow(".", "a"));
}

bool MatchesAllBelow(absl::string_view pattern, absl::string_view directory) {
  const Glob glob = Parsed(pattern);
  return glob.MatchesAllBelow(glob.Advance(glob.Start(), absl::StrCat(directory, "/")));
}

TEST(Glob, DetectsFullyMatchedDirectory) {
  EXPECT_TRUE(MatchesAllBelow("**", "a"));
  EXPECT_TRUE(MatchesAllBelow("tmp/**", "tmp"));
  EXPECT_TRUE(MatchesAllBelow("**/.cache/**", "a/.cache/b"));
  EXPECT_FALSE(MatchesAllBelow("tmp/**", "a"));
  EXPECT_FALSE(MatchesAllBelow("**/*.o", "tmp"));
  EXPECT_FALSE(MatchesAllBelow("tmp/*", "tmp"));
}

TEST(Glob, TakeCharacterDecodesUtf8) {
  absl::string_view text = "aé日😀\xff";
  EXPECT_EQ(TakeCharacter(text), 'a');
  EXPECT_EQ(TakeCharacter(text), 0xE9u);
  EXPECT_EQ(TakeCharacter(text), 0x65E5u);
  EXPECT_EQ(TakeCharacter(text), 0x1F600u);
  EXPECT_EQ(TakeCharacter(text), 0x1100FFu);
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace sparkles
