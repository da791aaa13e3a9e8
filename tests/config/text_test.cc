#include "config/text.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace dotward {
namespace {

using std::string_view_literals::operator""sv;

TEST(CheckTextTest, AcceptsEveryPrintableCharacter) {
  EXPECT_FALSE(CheckText("a\tb\r\n\xc2\x85\xc2\xa0\xdf\xbf\xe0\xa0\x80\xef\xbf\xbd\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}

TEST(CheckTextTest, RefusesWhatIsNotUtf8OrNotPrintable) {
  for (const std::string_view text : {"\0"sv,
                                      "\x01"sv,
                                      "\x04"sv,
                                      "\x1b"sv,
                                      "\x7f"sv,
                                      "\x80"sv,
                                      "\xbf"sv,
                                      "\xc0\x80"sv,
                                      "\xc1\xbf"sv,
                                      "\xc2"sv,
                                      "\xc2\x20"sv,
                                      "\xc2\x80"sv,
                                      "\xc2\x9f"sv,
                                      "\xe0\x9f\xbf"sv,
                                      "\xe2\x82"sv,
                                      "\xed\xa0\x80"sv,
                                      "\xed\xbf\xbf"sv,
                                      "\xef\xbf\xbe"sv,
                                      "\xef\xbf\xbf"sv,
                                      "\xf0\x8f\xbf\xbf"sv,
                                      "\xf4\x90\x80\x80"sv,
                                      "\xf8\x88\x80\x80\x80"sv,
                                      "\xff\xfe"sv,
                                      "a\rb"sv,
                                      "\r"sv}) {
    EXPECT_TRUE(CheckText(text)) << Quote(text);
  }
}

TEST(CheckTextTest, NamesThePlace) {
  const auto problem = CheckText("ä\nbc\x01");
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->position, (Position{2, 3}));
  EXPECT_EQ(CheckText("é\xe9")->position, (Position{1, 3}));
  EXPECT_EQ(CharacterColumn("é\xe9", {1, 3}), 2);
}

TEST(IsPlainTextTest, IsOneLineOfPrintableUtf8) {
  for (const std::string_view text : {""sv, "a b"sv, "ü"sv, "\xc2\xa0"sv, "\xf0\x9f\x98\x80"sv}) {
    EXPECT_TRUE(IsPlainText(text)) << Quote(text);
  }
  for (const std::string_view text : {"\0"sv, "a\tb"sv, "a\n"sv, "\x7f"sv, "\xc2\x85"sv, "\x85"sv, "\xef\xbf\xbf"sv}) {
    EXPECT_FALSE(IsPlainText(text)) << Quote(text);
  }
}

TEST(QuoteTest, EscapesControlCharactersAndCutsBetweenCharacters) {
  EXPECT_EQ(Quote("a\nb\x7f\xc2\x9b"), "\"a\\x0ab\\x7f\\x9b\"");
  EXPECT_EQ(Quote("\xff"), "\"\\xff\"");
  std::string umlauts;
  for (int i = 0; i < 61; ++i) umlauts += "ü";
  EXPECT_EQ(Quote(umlauts.substr(0, 120)), "\"" + umlauts.substr(0, 120) + "\"");
  EXPECT_EQ(Quote(umlauts), "\"" + umlauts.substr(0, 120) + "…\"");
}

TEST(EditDistanceTest, CountsInsertionsDeletionsSubstitutionsAndSwaps) {
  EXPECT_EQ(EditDistance("cache", "cache", 2), 0U);
  EXPECT_EQ(EditDistance("CACHE", "cache", 2), 0U);
  EXPECT_EQ(EditDistance("cahce", "cache", 2), 1U);
  EXPECT_EQ(EditDistance("cach", "cache", 2), 1U);
  EXPECT_EQ(EditDistance("ccache", "cache", 2), 1U);
  EXPECT_EQ(EditDistance("cacke", "cache", 2), 1U);
  EXPECT_EQ(EditDistance("cakce", "cache", 2), 2U);
  EXPECT_EQ(EditDistance("", "ab", 2), 2U);
  EXPECT_EQ(EditDistance("query", "cache", 2), 3U);
  EXPECT_EQ(EditDistance(std::string(1 << 20, 'a'), std::string(1 << 20, 'a'), 2), 3U);
}

TEST(NearestTest, SuggestsNothingForWordsThatShareLittle) {
  constexpr std::array<std::string_view, 4> kWords = {"tls", "udp", "tcp", "warning"};
  EXPECT_EQ(Nearest("warnings", kWords), "warning");
  EXPECT_EQ(Nearest("tsl", kWords), "tls");
  EXPECT_EQ(Nearest("tor", kWords), "");
  EXPECT_EQ(Nearest("", kWords), "");
}

}  // namespace
}  // namespace dotward
