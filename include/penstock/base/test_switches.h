// Test switches: two ways in which a test run makes memory hostile, in builds with PENSTOCK_CHECKS
// only. Poisoned memory is filled, and under AddressSanitizer closed, while nobody owns it; failing
// allocations say no to those who can be refused. Switched on by the command line before the
// threads start; the questions may be asked on any thread. In other builds nothing is left of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "penstock/base/assert.h"

namespace penstock::test_switches {

/// What memory holds that was handed out and not written yet, and that was given back.
inline constexpr std::byte fresh{0xcd};
inline constexpr std::byte freed{0xdb};

struct FailingAllocations {
  double percent = 0;
  std::uint64_t seed = 1;
};

/// Whether free memory is poisoned. Not to be changed while anything is reserved.
void set_poisoning(bool on) noexcept;
/// From now on that part of the allocations that ask fails. What fails depends on the seed, the
/// name of the thread and how often the thread has asked since.
void fail_allocations(const FailingAllocations& what) noexcept;

namespace detail {
[[nodiscard]] bool poisoning() noexcept;
[[nodiscard]] bool fails() noexcept;
void fill(std::span<std::byte> memory, std::byte with) noexcept;
void close(std::span<std::byte> memory) noexcept;
void open(std::span<std::byte> memory) noexcept;
}  // namespace detail

/// Asked where an allocation can be refused: true stands for "out of memory".
[[nodiscard]] inline bool allocation_fails() noexcept {
  if constexpr (!penstock_checks) return false;
  return detail::fails();
}

/// AddressSanitizer reports every access of the program to `memory`, but not those of the kernel.
inline void close(std::span<std::byte> memory) noexcept {
  if constexpr (!penstock_checks) return;
  if (detail::poisoning()) detail::close(memory);
}
/// `memory` may be read and written again.
inline void open(std::span<std::byte> memory) noexcept {
  if constexpr (!penstock_checks) return;
  if (detail::poisoning()) detail::open(memory);
}
/// `memory` gets an owner, who has to write it before it reads it.
inline void hand_out(std::span<std::byte> memory) noexcept {
  if constexpr (!penstock_checks) return;
  if (!detail::poisoning()) return;
  detail::open(memory);
  detail::fill(memory, fresh);
}
/// `memory` loses its owner.
inline void give_back(std::span<std::byte> memory) noexcept {
  if constexpr (!penstock_checks) return;
  if (!detail::poisoning()) return;
  detail::fill(memory, freed);
  detail::close(memory);
}

}  // namespace penstock::test_switches
