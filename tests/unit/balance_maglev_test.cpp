// Maglev: shares, which keys move when backends die, skipping what was tried. What the table is
// exactly is compared with golden files in balance_golden_test.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "penstock/balance/maglev.h"

namespace penstock::balance {
namespace {

std::vector<Member> fleet(const std::vector<std::uint32_t>& weights) {
  std::vector<Member> members;
  for (std::uint32_t i = 0; i < weights.size(); ++i) {
    members.push_back({.name = fmt::format("10.0.0.{}:9000", i), .weight = weights[i], .id = {i}});
  }
  return members;
}

/// A few thousand clients.
std::vector<Key> clients() {
  std::vector<Key> keys;
  for (std::uint32_t i = 0; i < 5000; ++i)
    keys.push_back({hash_text(fmt::format("client {}", i), 0)});
  return keys;
}

std::vector<std::uint32_t> slots_per_backend(const Maglev& table, std::size_t backends) {
  std::vector<std::uint32_t> counts(backends);
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) ++counts.at(table.owner(slot).value);
  return counts;
}

TEST_CASE("every backend has its share by weight within 2 percent at the default size",
          "[balance]") {
  const auto weights =
      GENERATE(std::vector<std::uint32_t>{1}, std::vector<std::uint32_t>{1, 1, 1},
               std::vector<std::uint32_t>{1, 2, 5}, std::vector<std::uint32_t>(100, 1),
               std::vector<std::uint32_t>{1, 10, 100}, std::vector<std::uint32_t>(37, 3));
  const Maglev table(fleet(weights), Maglev::default_size, 0);
  REQUIRE(table.size() == Maglev::default_size);
  const std::vector<std::uint32_t> counts = slots_per_backend(table, weights.size());
  std::uint64_t turns = 0;
  for (const std::uint32_t weight : weights) turns += weight;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double fair = static_cast<double>(table.size()) * weights[i] / static_cast<double>(turns);
    CAPTURE(i, counts[i], fair);
    CHECK(counts[i] >= 0.98 * fair);
    CHECK(counts[i] <= 1.02 * fair);
  }
}

TEST_CASE("the table does not depend on the order of the list", "[balance]") {
  std::vector<Member> members = fleet({1, 2, 3, 1});
  const Maglev table(members, 1009, 5);
  std::ranges::reverse(members);
  const Maglev other(members, 1009, 5);
  for (std::uint32_t slot = 0; slot < table.size(); ++slot)
    REQUIRE(table.owner(slot) == other.owner(slot));
}

TEST_CASE("when one backend dies exactly its own keys move, and come back with it", "[balance]") {
  constexpr std::uint32_t backends = 7;
  const Maglev table(fleet(std::vector<std::uint32_t>(backends, 1)), Maglev::default_size, 0);
  Liveness liveness(backends);
  const BackendId victim{GENERATE(0u, 3u, 6u)};
  std::set<BackendId> heirs;
  std::size_t moved = 0;
  for (const Key key : clients()) {
    liveness.set(victim, true);
    const BackendId before = *table.pick(key, liveness);
    REQUIRE(before == table.owner(static_cast<std::uint32_t>(key.hash % table.size())));
    liveness.set(victim, false);
    const BackendId during = *table.pick(key, liveness);
    REQUIRE(during != victim);
    REQUIRE((before == victim) == (during != before));
    liveness.set(victim, true);
    REQUIRE(*table.pick(key, liveness) == before);
    if (before != victim) continue;
    ++moved;
    heirs.insert(during);
  }
  CHECK(moved > 0);
  CHECK(heirs.size() == backends - 1);  // the others share the load
}

TEST_CASE("a second death moves no key of the living", "[balance]") {
  const Maglev table(fleet(std::vector<std::uint32_t>(5, 1)), 1009, 0);
  Liveness one_dead(5);
  one_dead.set({1}, false);
  Liveness two_dead = one_dead;
  two_dead.set({4}, false);
  for (const Key key : clients()) {
    const BackendId before = *table.pick(key, one_dead);
    const BackendId after = *table.pick(key, two_dead);
    REQUIRE(after != BackendId{1});
    REQUIRE((before == BackendId{4} ? after != before : after == before));
  }
}

TEST_CASE("each try gives another backend until none is left", "[balance]") {
  constexpr std::uint32_t backends = 5;
  const Maglev table(fleet(std::vector<std::uint32_t>(backends, 1)), 1009, 0);
  Liveness liveness(backends);
  liveness.set({2}, false);
  for (const Key key : clients()) {
    std::vector<BackendId> tried;
    while (const auto backend = table.pick(key, liveness, tried)) {
      REQUIRE(std::ranges::find(tried, *backend) == tried.end());
      REQUIRE(*backend != BackendId{2});
      tried.push_back(*backend);
    }
    REQUIRE(tried.size() == backends - 1);
  }
}

TEST_CASE("the next try goes where the key would go if the first backend were dead", "[balance]") {
  const Maglev table(fleet({1, 2, 3}), 1009, 0);
  const Liveness all(3);
  for (const Key key : clients()) {
    const BackendId first = *table.pick(key, all);
    Liveness without = all;
    without.set(first, false);
    REQUIRE(table.pick(key, all, std::vector{first}) == table.pick(key, without));
  }
}

TEST_CASE("nobody is picked when nobody is alive", "[balance]") {
  const Maglev table(fleet({1, 1}), 13, 0);
  Liveness liveness(2);
  liveness.set({0}, false);
  liveness.set({1}, false);
  for (std::uint64_t hash = 0; hash < 26; ++hash)
    CHECK_FALSE(table.pick({hash}, liveness).has_value());
}

TEST_CASE("the last of many backends is found from every slot", "[balance]") {
  constexpr std::uint32_t backends = 1000;
  const Maglev table(fleet(std::vector<std::uint32_t>(backends, 1)), Maglev::default_size, 0);
  Liveness liveness(backends);
  for (std::uint32_t i = 0; i < backends; ++i) liveness.set({i}, i == 777);
  for (std::uint64_t slot = 0; slot < table.size(); slot += 61) {
    REQUIRE(table.pick({slot}, liveness) == BackendId{777});
  }
}

TEST_CASE("ids need not be dense or in name order", "[balance]") {
  const std::vector<Member> members{{.name = "b", .weight = 1, .id = {70}},
                                    {.name = "a", .weight = 1, .id = {131}}};
  const Maglev table(members, 13, 0);
  Liveness liveness(132);
  liveness.set({70}, false);
  for (std::uint64_t hash = 0; hash < 13; ++hash)
    CHECK(table.pick({hash}, liveness) == BackendId{131});
}

TEST_CASE("liveness keeps one bit a backend and believes in the unknown", "[balance]") {
  Liveness liveness(130);
  CHECK(liveness.count() == 130);
  for (const std::uint32_t id : {0u, 63u, 64u, 129u}) {
    CHECK(liveness.alive({id}));
    liveness.set({id}, false);
    CHECK_FALSE(liveness.alive({id}));
  }
  CHECK(liveness.alive({1}));
  CHECK(liveness.alive({128}));
  liveness.set({64}, true);
  CHECK(liveness.alive({64}));
  CHECK(liveness.alive({130}));
  CHECK(liveness.alive({100000}));
  CHECK(Liveness().alive({0}));
}

TEST_CASE("primes are told from other numbers", "[balance]") {
  std::vector<std::uint32_t> primes;
  for (std::uint32_t number = 0; number < 50; ++number) {
    if (is_prime(number)) primes.push_back(number);
  }
  CHECK(primes ==
        std::vector<std::uint32_t>{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47});
  CHECK(is_prime(Maglev::default_size));
  CHECK_FALSE(is_prime(65536));
  CHECK_FALSE(is_prime(65521u * 3));
  CHECK(is_prime(4294967291u));
  CHECK_FALSE(is_prime(4294967295u));
  CHECK_FALSE(is_prime(4293001441u));  // 65521 squared
}

}  // namespace
}  // namespace penstock::balance
