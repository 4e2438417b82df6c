// Slab: slots are found again last-in first-out, never move, and run out at the capacity.
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <vector>

#include "penstock/base/slab.h"

namespace penstock {
namespace {

struct Probe {
  explicit Probe(int& alive_count, int number) : alive(alive_count), value(number) { ++alive; }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe() { --alive; }
  int& alive;
  int value;
};

TEST_CASE("a slab constructs, destroys and refuses beyond its capacity", "[base]") {
  int alive = 0;
  auto slab = Slab<Probe>::create(3);
  REQUIRE(slab.has_value());
  CHECK(slab->capacity() == 3);

  std::vector<Probe*> taken;
  for (int number = 0; number < 3; ++number) taken.push_back(slab->acquire(alive, number));
  CHECK(std::set<Probe*>(taken.begin(), taken.end()).size() == 3);
  CHECK(alive == 3);
  CHECK(slab->used() == 3);
  CHECK(slab->acquire(alive, 99) == nullptr);
  CHECK(taken[1]->value == 1);

  for (Probe* probe : taken) slab->release(*probe);
  CHECK(alive == 0);
  CHECK(slab->used() == 0);
}

TEST_CASE("a slab hands out the slot that was given back last", "[base]") {
  int alive = 0;
  auto slab = Slab<Probe>::create(8);
  REQUIRE(slab.has_value());
  Probe* first = slab->acquire(alive, 1);
  Probe* second = slab->acquire(alive, 2);
  slab->release(*first);
  slab->release(*second);
  CHECK(slab->acquire(alive, 3) == second);
  CHECK(slab->acquire(alive, 4) == first);
  slab->release(*first);
  slab->release(*second);
}

TEST_CASE("moving a slab leaves its objects where they are", "[base]") {
  int alive = 0;
  auto made = Slab<Probe>::create(4);
  REQUIRE(made.has_value());
  Probe* probe = made->acquire(alive, 7);
  Slab<Probe> slab(std::move(*made));
  CHECK(made->used() == 0);
  CHECK(slab.used() == 1);
  CHECK(probe->value == 7);
  slab.release(*probe);
  CHECK(slab.acquire(alive, 8) == probe);
  slab.release(*probe);
}

}  // namespace
}  // namespace penstock
