// ReservedMemory: address space reserved at start and touched only as it is used, so that a shard
// can size everything for its limit without paying for it. Pages that are no longer needed go back
// to the system with release().
#pragma once

#include <cstddef>

#include "penstock/base/result.h"

namespace penstock {

class ReservedMemory {
 public:
  ReservedMemory() noexcept = default;
  ReservedMemory(ReservedMemory&& from) noexcept;
  ReservedMemory& operator=(ReservedMemory&& from) noexcept;
  ~ReservedMemory();

  /// Reserves `bytes`, rounded up to whole pages, zeroed on first touch. Error: the address space
  /// is limited (ulimit -v).
  [[nodiscard]] static Result<ReservedMemory> reserve(std::size_t bytes);

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Gives the whole pages inside [offset, offset + bytes) back to the system; they read as zero
  /// afterwards.
  void release(std::size_t offset, std::size_t bytes) noexcept;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace penstock
