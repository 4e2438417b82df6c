// Latest: the newest value wins, nothing is lost or leaked, and the last one put is the last one
// taken across threads.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <thread>

#include "penstock/base/latest.h"

namespace penstock {
namespace {

struct Counted {
  Counted(std::atomic<int>& alive_count, int number) : alive(alive_count), value(number) {
    ++alive;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
  std::atomic<int>& alive;
  int value;
};

TEST_CASE("taking gives the newest value once", "[base]") {
  std::atomic<int> alive = 0;
  Latest<Counted> slot;
  CHECK(slot.take() == nullptr);
  slot.put(std::make_unique<Counted>(alive, 1));
  slot.put(std::make_unique<Counted>(alive, 2));
  CHECK(alive == 1);
  const std::unique_ptr<Counted> taken = slot.take();
  REQUIRE(taken != nullptr);
  CHECK(taken->value == 2);
  CHECK(slot.take() == nullptr);
}

TEST_CASE("a value that nobody takes is destroyed with its slot", "[base]") {
  std::atomic<int> alive = 0;
  {
    Latest<Counted> slot;
    slot.put(std::make_unique<Counted>(alive, 1));
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("a reader on another thread sees values in order and the last one for certain",
          "[base]") {
  constexpr int last = 20000;
  std::atomic<int> alive = 0;
  Latest<Counted> slot;
  bool in_order = true;
  std::thread reader([&] {
    int seen = 0;
    while (seen < last) {
      const std::unique_ptr<Counted> value = slot.take();
      if (value == nullptr) {
        std::this_thread::yield();
        continue;
      }
      in_order = in_order && value->value > seen;
      seen = value->value;
    }
  });
  for (int number = 1; number <= last; ++number) slot.put(std::make_unique<Counted>(alive, number));
  reader.join();
  CHECK(in_order);
  CHECK(alive == 0);
}

}  // namespace
}  // namespace penstock
