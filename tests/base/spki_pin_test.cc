#include "base/spki_pin.h"

#include <gtest/gtest.h>

#include <string>

#include "base/strings.h"

namespace dotward {
namespace {

TEST(ParseSpkiPinTest, ReadsTheThirtyTwoOctets) {
  // RFC 7469 §2.1.5's example.
  const absl::StatusOr<SpkiPin> pin = ParseSpkiPin("sha256/d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=");
  ASSERT_TRUE(pin.ok()) << pin.status();
  EXPECT_EQ(pin->front(), 0x77);
  EXPECT_EQ(pin->back(), 0x63);
}

TEST(ParseSpkiPinTest, RefusesWhatIsNotTheOneSpellingOfThirtyTwoOctets) {
  const std::string a42(42, 'A');
  for (const std::string& text :
       {std::string(), StrCat("sha256/"), StrCat("sha1/", a42, "A="), StrCat(a42, "A="), StrCat("sha256/", a42, "A"),
        StrCat("sha256/", a42, "AA"), StrCat("sha256/", a42, "=="), StrCat("sha256/", a42, "B="),
        StrCat("sha256/ ", a42, "="), StrCat("sha256/", a42, "_="), StrCat("SHA256/", a42, "A=")}) {
    EXPECT_EQ(ParseSpkiPin(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(FormatSpkiPinTest, PrintsWhatIsRead) {
  for (unsigned value = 0; value < 256; ++value) {
    SpkiPin pin{};
    pin.front() = pin.back() = static_cast<uint8_t>(value);
    const absl::StatusOr<SpkiPin> again = ParseSpkiPin(FormatSpkiPin(pin));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, pin);
  }
}

}  // namespace
}  // namespace dotward
