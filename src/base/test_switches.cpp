// The state behind the switches: two relaxed atomics, and a random number generator per thread.
#include "penstock/base/test_switches.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "penstock/base/split_mix.h"

#if defined(__SANITIZE_ADDRESS__)
#define PENSTOCK_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PENSTOCK_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef PENSTOCK_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace penstock::test_switches {
namespace {

constexpr double numbers = 18446744073709551616.0;  // 2^64: as many as a thread can draw

std::atomic<bool> poison{false};
std::atomic<std::uint64_t> failing_below{0};  // of the numbers that a thread draws; 0: none fails
std::atomic<std::uint64_t> failing_seed{0};
std::atomic<std::uint64_t> settings{0};  // how often what fails has been set

/// Threads are told apart by their names, since their numbers differ from run to run.
std::uint64_t seed_of_thread() noexcept {
  std::array<char, 16> name{};
  ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  std::uint64_t seed = failing_seed.load(std::memory_order_relaxed);
  for (const char letter : name) {
    seed ^= static_cast<unsigned char>(letter);
    seed = split_mix(seed);
  }
  return seed;
}

/// Where a thread is in its row of numbers, and under which settings it began.
struct Draw {
  std::uint64_t state = 0;
  std::uint64_t of_settings = 0;
};

}  // namespace

void set_poisoning(bool on) noexcept { poison.store(on, std::memory_order_relaxed); }

void fail_allocations(const FailingAllocations& what) noexcept {
  failing_seed.store(what.seed, std::memory_order_relaxed);
  const double part = std::clamp(what.percent, 0.0, 100.0) / 100.0;
  // 2^64 itself does not fit: with 100 percent one number in 2^64 passes.
  const std::uint64_t below = part >= 1.0 ? UINT64_MAX : static_cast<std::uint64_t>(part * numbers);
  settings.fetch_add(1, std::memory_order_relaxed);
  failing_below.store(below, std::memory_order_release);
}

namespace detail {

bool poisoning() noexcept { return poison.load(std::memory_order_relaxed); }

bool fails() noexcept {
  const std::uint64_t below = failing_below.load(std::memory_order_acquire);
  if (below == 0) return false;
  thread_local Draw draw;
  if (const auto newest = settings.load(std::memory_order_relaxed); draw.of_settings != newest) {
    draw = {.state = seed_of_thread(), .of_settings = newest};
  }
  return split_mix(draw.state) < below;
}

void fill(std::span<std::byte> memory, std::byte with) noexcept { std::ranges::fill(memory, with); }

#ifdef PENSTOCK_ADDRESS_SANITIZER
void close(std::span<std::byte> memory) noexcept {
  ASAN_POISON_MEMORY_REGION(memory.data(), memory.size());
}
void open(std::span<std::byte> memory) noexcept {
  ASAN_UNPOISON_MEMORY_REGION(memory.data(), memory.size());
}
#else
void close(std::span<std::byte>) noexcept {}
void open(std::span<std::byte>) noexcept {}
#endif

}  // namespace detail
}  // namespace penstock::test_switches
