#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace dotward {
namespace {

struct Item {
  int value = 0;
  ListHook<Item> first_hook;
  ListHook<Item> second_hook;
};
using First = IntrusiveList<Item, &Item::first_hook>;
using Second = IntrusiveList<Item, &Item::second_hook>;

template <typename List>
std::vector<int> ValuesOf(const List& list) {
  std::vector<int> values;
  for (const Item* item = list.front(); item != nullptr; item = list.Next(*item)) values.push_back(item->value);
  return values;
}

TEST(IntrusiveListTest, KeepsTheOrderOfEntry) {
  std::array<Item, 3> items{{{1}, {2}, {3}}};
  First list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.front(), nullptr);
  for (Item& item : items) list.PushBack(item);
  EXPECT_EQ(ValuesOf(list), (std::vector{1, 2, 3}));
  EXPECT_EQ(list.size(), 3U);
}

TEST(IntrusiveListTest, LetsGoOfAnyAndTakesItBack) {
  for (size_t removed = 0; removed < 3; ++removed) {
    std::array<Item, 3> items{{{1}, {2}, {3}}};
    First list;
    std::vector<int> left;
    for (Item& item : items) list.PushBack(item);
    list.Remove(items[removed]);
    for (const Item& item : items) {
      if (&item != &items[removed]) left.push_back(item.value);
    }
    EXPECT_EQ(ValuesOf(list), left);
    list.PushBack(items[removed]);
    left.push_back(items[removed].value);
    EXPECT_EQ(ValuesOf(list), left);
  }
}

TEST(IntrusiveListTest, AnObjectIsInOneListAHook) {
  std::array<Item, 2> items{{{1}, {2}}};
  First first;
  Second second;
  first.PushBack(items[0]);
  first.PushBack(items[1]);
  second.PushBack(items[1]);
  second.PushBack(items[0]);
  first.Remove(items[0]);
  EXPECT_EQ(ValuesOf(first), (std::vector{2}));
  EXPECT_EQ(ValuesOf(second), (std::vector{2, 1}));
  first.Remove(items[1]);
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(second.size(), 2U);
}

}  // namespace
}  // namespace dotward
