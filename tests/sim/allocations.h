// Allocations: how often production's code calls operator new, so that the simulation can hold it
// to its promise that nothing of ours allocates on the data path. The simulated kernel and what it
// calls are left out; so is OpenSSL, which uses malloc. One thread.
#pragma once

#include <cstdint>

namespace penstock::sim {

/// From its beginning on, until value() is read.
class AllocationCount {
 public:
  AllocationCount() noexcept;
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;
  [[nodiscard]] std::uint64_t value() const noexcept;
};

/// Allocations do not count while one exists.
class Uncounted {
 public:
  Uncounted() noexcept;
  ~Uncounted();
  Uncounted(const Uncounted&) = delete;
  Uncounted& operator=(const Uncounted&) = delete;
};

}  // namespace penstock::sim
