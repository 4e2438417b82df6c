// IntrusiveList: order, removal from the middle, elements that die while linked, lists that die
// while full.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <vector>

#include "penstock/base/intrusive_list.h"

namespace penstock {
namespace {

struct First;
struct Second;
struct Item : ListHook<First>, ListHook<Second> {
  explicit Item(int number = 0) : value(number) {}
  int value;
};
using FirstList = IntrusiveList<Item, First>;
using SecondList = IntrusiveList<Item, Second>;

template <class List>
std::vector<int> values_of(List& list) {
  std::vector<int> values;
  for (Item* item = list.front(); item != nullptr; item = list.next(*item)) {
    values.push_back(item->value);
  }
  return values;
}

TEST_CASE("a list keeps the order in which its elements came", "[base]") {
  std::array items{Item(1), Item(2), Item(3)};
  FirstList list;
  CHECK(list.empty());
  CHECK(list.front() == nullptr);
  CHECK(list.pop_front() == nullptr);
  for (Item& item : items) list.push_back(item);
  CHECK(values_of(list) == std::vector{1, 2, 3});
  CHECK(list.pop_front() == &items[0]);
  CHECK_FALSE(static_cast<ListHook<First>&>(items[0]).linked());
  CHECK(values_of(list) == std::vector{2, 3});
}

TEST_CASE("an element leaves from the middle, and again does nothing", "[base]") {
  std::array items{Item(1), Item(2), Item(3)};
  FirstList list;
  for (Item& item : items) list.push_back(item);
  static_cast<ListHook<First>&>(items[1]).unlink();
  static_cast<ListHook<First>&>(items[1]).unlink();
  CHECK(values_of(list) == std::vector{1, 3});
  list.push_back(items[1]);
  CHECK(values_of(list) == std::vector{1, 3, 2});
}

TEST_CASE("one element is on two lists at once", "[base]") {
  std::array items{Item(1), Item(2)};
  FirstList first;
  SecondList second;
  first.push_back(items[0]);
  first.push_back(items[1]);
  second.push_back(items[1]);
  CHECK(first.pop_front() == &items[0]);
  CHECK(first.pop_front() == &items[1]);
  CHECK(values_of(second) == std::vector{2});
}

TEST_CASE("an element that is destroyed leaves its list", "[base]") {
  Item kept(1);
  FirstList list;
  std::optional<Item> gone(std::in_place, 2);
  list.push_back(*gone);
  list.push_back(kept);
  gone.reset();
  CHECK(values_of(list) == std::vector{1});
}

TEST_CASE("a list that is destroyed lets its elements go", "[base]") {
  Item item(1);
  {
    FirstList list;
    list.push_back(item);
  }
  CHECK_FALSE(static_cast<ListHook<First>&>(item).linked());
}

TEST_CASE("splicing moves every element to the end and leaves the source usable", "[base]") {
  std::array items{Item(1), Item(2), Item(3), Item(4)};
  FirstList list;
  FirstList other;
  list.splice_back(other);
  CHECK(list.empty());
  list.push_back(items[0]);
  other.push_back(items[1]);
  other.push_back(items[2]);
  list.splice_back(other);
  CHECK(values_of(list) == std::vector{1, 2, 3});
  CHECK(other.empty());
  other.push_back(items[3]);
  CHECK(values_of(other) == std::vector{4});
  list.push_back(*other.pop_front());
  CHECK(values_of(list) == std::vector{1, 2, 3, 4});
}

}  // namespace
}  // namespace penstock
