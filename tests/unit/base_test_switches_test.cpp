// The test switches: poisoned memory shows its pattern, and failing allocations fail as the seed
// says. In builds without checks nothing of it is left, which is a test of its own.
#include <pthread.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <thread>
#include <vector>

#include "penstock/base/slab.h"
#include "penstock/base/test_switches.h"

namespace penstock {
namespace {

struct Poisoning {
  Poisoning() { test_switches::set_poisoning(true); }
  Poisoning(const Poisoning&) = delete;
  Poisoning& operator=(const Poisoning&) = delete;
  ~Poisoning() { test_switches::set_poisoning(false); }
};

struct Failing {
  explicit Failing(double percent, std::uint64_t seed = 1) {
    test_switches::fail_allocations({.percent = percent, .seed = seed});
  }
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
  ~Failing() { test_switches::fail_allocations({.percent = 0}); }
};

/// Its bytes are what the slab's slot held.
struct Untouched {
  Untouched() noexcept {}  // NOLINT: what is not initialised is the point
  std::array<std::byte, 64> bytes;
};

bool holds(const Untouched& item, std::byte pattern) {
  std::array<std::byte, 64> seen{};
  std::memcpy(seen.data(), item.bytes.data(), seen.size());
  return std::ranges::count(seen, pattern) == static_cast<std::ptrdiff_t>(seen.size());
}

/// Which of 2000 allocations fail on a thread of that name.
std::vector<bool> failures(const char* thread_name) {
  std::vector<bool> seen;
  std::jthread thread([&] {
    ::pthread_setname_np(::pthread_self(), thread_name);
    for (int i = 0; i < 2000; ++i) seen.push_back(test_switches::allocation_fails());
  });
  thread.join();
  return seen;
}

TEST_CASE("a slab under poison hands out slots that hold nothing of what they held", "[base]") {
  if (!penstock_checks) SKIP("a build without checks has no switches");
  const Poisoning poisoning;
  auto slab = Slab<Untouched>::create(2);
  REQUIRE(slab.has_value());
  Untouched* item = slab->acquire();
  CHECK(holds(*item, test_switches::fresh));
  item->bytes.fill(std::byte{7});
  slab->release(*item);
  REQUIRE(slab->acquire() == item);
  CHECK(holds(*item, test_switches::fresh));
  slab->release(*item);
}

TEST_CASE("memory under poison that is given back holds the pattern of freed memory", "[base]") {
  if (!penstock_checks) SKIP("a build without checks has no switches");
  const Poisoning poisoning;
  std::array<std::byte, 64> memory{};
  test_switches::give_back(memory);
  test_switches::open(memory);
  CHECK(std::ranges::count(memory, test_switches::freed) == 64);
}

TEST_CASE("failing allocations fail in that part, the same ones for the same seed", "[base]") {
  if (!penstock_checks) SKIP("a build without checks has no switches");
  std::vector<bool> first;
  {
    const Failing failing(10, 42);
    first = failures("shard-0");
    CHECK(failures("shard-0") == first);
    CHECK(failures("shard-1") != first);
  }
  const auto failed = std::ranges::count(first, true);
  CHECK(failed > 100);
  CHECK(failed < 300);
  const Failing failing(10, 43);
  CHECK(failures("shard-0") != first);
}

TEST_CASE("reserving memory that fails says what to do about it", "[base]") {
  if (!penstock_checks) SKIP("a build without checks has no switches");
  const Failing failing(100);
  const auto memory = ReservedMemory::reserve(std::size_t{5} << 20);
  REQUIRE_FALSE(memory.has_value());
  CHECK(memory.error().message.find("cannot reserve 5 MiB of address space") == 0);
  CHECK(memory.error().message.find("Cannot allocate memory") != std::string::npos);
}

TEST_CASE("a build without checks has no switches", "[base]") {
  if (penstock_checks) SKIP("this build has checks");
  const Poisoning poisoning;
  const Failing failing(100);
  std::array<std::byte, 64> memory{};
  test_switches::give_back(memory);
  CHECK(std::ranges::count(memory, std::byte{0}) == 64);
  CHECK_FALSE(test_switches::allocation_fails());
}

}  // namespace
}  // namespace penstock
