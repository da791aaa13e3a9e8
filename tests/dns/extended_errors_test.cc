#include "dns/extended_errors.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "dns/scan.h"
#include "testing/messages.h"

namespace dotward {
namespace {

std::vector<ExtendedError> ErrorsOf(std::vector<EdnsOption> options) {
  const Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "www.example.", rr_type::kA).Build())
                            .WithEdns({.options = std::move(options)})
                            .Build();
  ScannedMessage scan;
  EXPECT_EQ(ScanMessage(octets, MessageSide::kResponse, scan), ScanFault::kNone);
  return ExtendedErrorsOf(scan, "quad9");
}

std::string TextOf(std::string_view text) {
  const std::vector<ExtendedError> errors = ErrorsOf({Ede(EdeCode::kBlocked, text)});
  EXPECT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors.at(0).code, EdeCode::kBlocked);
  return errors.at(0).text;
}

TEST(ExtendedErrorsTest, R6_TheUpstreamsNameLeadsTheText) {
  EXPECT_EQ(TextOf("by law"), "quad9: by law");
  EXPECT_EQ(TextOf(""), "quad9");
}

TEST(ExtendedErrorsTest, R6_WhatAValidatorOfOursSaysIsNotTheUpstreams) {
  const Octets octets =
      MessageBuilder::ResponseTo(MessageBuilder::Query(1, "www.example.", rr_type::kA).Build())
          .WithEdns({.options = {Ede(EdeCode::kStaleAnswer, "old"), Ede(EdeCode::kOther, "too many iterations")}})
          .Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kResponse, scan), ScanFault::kNone);
  const auto texts = [&](ErrorAuthor author) {
    std::string all;
    for (const ExtendedError& error : ExtendedErrorsOf(scan, "quad9", author)) StrAppend(&all, error.text, "|");
    return all;
  };
  EXPECT_EQ(texts(ErrorAuthor::kUpstream), "quad9: old|quad9: too many iterations|");
  EXPECT_EQ(texts(ErrorAuthor::kLastIsOurs), "quad9: old|too many iterations|");
  EXPECT_EQ(texts(ErrorAuthor::kOurs), "old|too many iterations|");
}

TEST(ExtendedErrorsTest, R6_WhatAValidatorOfOursSaysIsNeverCrowdedOut) {
  std::vector<EdnsOption> options(Limits::kExtendedErrorsMax + 2, Ede(EdeCode::kStaleAnswer, "old"));
  options.push_back(Ede(EdeCode::kOther, "ours"));
  const Octets octets = MessageBuilder::ResponseTo(MessageBuilder::Query(1, "www.example.", rr_type::kA).Build())
                            .WithEdns({.options = std::move(options)})
                            .Build();
  ScannedMessage scan;
  ASSERT_EQ(ScanMessage(octets, MessageSide::kResponse, scan), ScanFault::kNone);
  const std::vector<ExtendedError> errors = ExtendedErrorsOf(scan, "quad9", ErrorAuthor::kLastIsOurs);
  ASSERT_EQ(errors.size(), Limits::kExtendedErrorsMax);
  EXPECT_EQ(errors.front().text, "quad9: old");
  EXPECT_EQ(errors.back().text, "ours");
}

TEST(ExtendedErrorsTest, R6_EveryCodeIsPassedOn) {
  for (unsigned code = 0; code < 65'536; code += 257) {
    const std::vector<ExtendedError> errors = ErrorsOf({Ede(static_cast<EdeCode>(code))});
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_EQ(static_cast<unsigned>(errors[0].code), code);
  }
}

TEST(ExtendedErrorsTest, OtherOptionsAndOptionsWithoutACodeAreNoErrors) {
  EXPECT_TRUE(ErrorsOf({{edns_option::kEde, {}}, {edns_option::kEde, {1}}, {edns_option::kNsid, Octets(9)}}).empty());
}

TEST(ExtendedErrorsTest, R6_TextOfEveryScriptIsPassedOn) {
  for (const std::string_view text :
       {"naïve", "домен", "域名", "🙂", "\xc2\xa0", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(TextOf(text), StrCat("quad9: ", text));
  }
}

TEST(ExtendedErrorsTest, R6_WhatIsNotPrintableTextIsNotPassedOn) {
  // Control characters of both kinds, cut sequences, a lone continuation, overlong forms, half a surrogate pair, beyond
  // Unicode: a terminal or a log reads them in its own way.
  for (const std::string_view text :
       {std::string_view("a\nb"), std::string_view("a\0b", 3), std::string_view("\x1b[31m"), std::string_view("\x7f"),
        std::string_view("\xc2\x9b\x33\x31m"), std::string_view("\xe2\x82"), std::string_view("\xe2\x82x"),
        std::string_view("\x80"), std::string_view("\xc0\xaf"), std::string_view("\xc1\xbf"),
        std::string_view("\xe0\x80\xaf"), std::string_view("\xf0\x80\x80\xaf"), std::string_view("\xed\xa0\x80"),
        std::string_view("\xf4\x90\x80\x80"), std::string_view("\xf5\x80\x80\x80"), std::string_view("\xff")}) {
    EXPECT_EQ(TextOf(text), "quad9") << testing::PrintToString(text);
  }
}

TEST(ExtendedErrorsTest, R6_ALongTextIsCutBetweenCharacters) {
  const std::string room(Limits::kExtendedErrorTextMax - 1, 'x');
  EXPECT_EQ(TextOf(StrCat(room, "yz")), StrCat("quad9: ", room, "y"));
  EXPECT_EQ(TextOf(StrCat(room, "€")), StrCat("quad9: ", room)) << "three octets, of which one would fit";
}

TEST(ExtendedErrorsTest, R6_ThereAreAFewAtMost) {
  const std::vector<EdnsOption> options(1'000, Ede(EdeCode::kOther, "x"));
  EXPECT_EQ(ErrorsOf(options).size(), Limits::kExtendedErrorsMax);
}

TEST(ExtendedErrorsTest, AreEncodedAsOptions) {
  const std::vector<ExtendedError> errors = {{EdeCode::kNetworkError, "no route"}, {EdeCode::kOther, ""}};
  EXPECT_EQ(EncodeExtendedErrors(errors), Join({Hex("000f 000a 0017"), OctetsOf("no route"), Hex("000f 0002 0000")}));
  EXPECT_TRUE(EncodeExtendedErrors({}).empty());
}

TEST(ExtendedErrorsTest, WhatIsEncodedIsBoundedToo) {
  const std::vector<ExtendedError> errors(100, {EdeCode::kOther, std::string(100'000, 'x')});
  const Octets options = EncodeExtendedErrors(errors);
  EXPECT_LE(options.size(), Limits::kExtendedErrorsMax * (6 + 2 * Limits::kExtendedErrorTextMax));
  EXPECT_FALSE(options.empty());
}

}  // namespace
}  // namespace dotward
