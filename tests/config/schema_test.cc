#include "config/schema.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/strings.h"
#include "config/values.h"

namespace dotward {
namespace {

TEST(SchemaTest, EveryPathStandsOnceBehindItsSection) {
  std::set<std::string> seen;
  for (const SchemaKey& key : Schema()) {
    EXPECT_TRUE(seen.insert(std::string(key.path)).second) << key.path;
    const size_t dot = key.path.rfind('.');
    if (dot == std::string_view::npos) continue;
    std::string_view parent = key.path.substr(0, dot);
    const bool record = parent.ends_with("[]");
    if (record) parent.remove_suffix(2);
    const SchemaKey* section = FindKey(parent);
    ASSERT_NE(section, nullptr) << key.path;
    EXPECT_EQ(section->type, record ? ValueType::kRecords : ValueType::kSection) << key.path;
    EXPECT_TRUE(seen.contains(std::string(parent))) << key.path;
  }
}

TEST(SchemaTest, EveryKeyHasAPlaceARangeAndOneSentence) {
  for (const SchemaKey& key : Schema()) {
    EXPECT_TRUE(key.description.ends_with('.')) << key.path;
    const bool holds_value = key.type != ValueType::kSection && key.type != ValueType::kRecords;
    EXPECT_EQ(key.slot != nullptr, holds_value) << key.path;
    const bool ranged = key.type == ValueType::kNumber || key.type == ValueType::kFraction ||
                        key.type == ValueType::kDuration || key.type == ValueType::kSize;
    EXPECT_EQ(key.max > key.min, ranged) << key.path;
    EXPECT_EQ(!key.choices.empty(), key.type == ValueType::kChoice) << key.path;
    EXPECT_EQ(key.missing_feature.empty(), key.off.empty()) << key.path;
  }
}

TEST(SchemaTest, AFeatureThatIsNotThereIsOffByDefault) {
  for (const SchemaKey& key : Schema()) {
    if (key.off.empty()) continue;
    EXPECT_EQ(DefaultText(key), key.off) << key.path;
  }
}

// The slots are written by hand: two keys with one slot would overwrite each other.
TEST(SchemaTest, NoTwoKeysShareASlot) {
  Config config;
  UpstreamConfig upstream;
  ForwardConfig forward;
  std::set<const void*> slots;
  for (const SchemaKey& key : Schema()) {
    if (key.slot == nullptr) continue;
    const Slot slot = key.slot(Scope{&config, &upstream, &forward});
    const void* place = std::visit([](auto* target) { return static_cast<const void*>(target); }, slot);
    EXPECT_TRUE(slots.insert(place).second) << key.path;
  }
}

TEST(SchemaTest, EveryDefaultIsAccepted) {
  for (const SchemaKey& key : Schema()) {
    if (key.slot == nullptr || key.required || key.path.find("[]") != std::string_view::npos) continue;
    std::string text;
    std::string indent;
    std::string_view rest = key.path;
    for (size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      StrAppend(&text, indent, rest.substr(0, dot), ":\n");
      indent += "  ";
      rest.remove_prefix(dot + 1);
    }
    StrAppend(&text, indent, rest, ": ", DefaultText(key), "\n");
    for (const ConfigError& error : ParseConfig(text, "f").errors) ADD_FAILURE() << error.ToString();
  }
}

}  // namespace
}  // namespace dotward
