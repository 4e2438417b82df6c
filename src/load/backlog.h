// Backlog: bytes that came and are to be sent back, in the pool's buffers. It says when it is full
// and takes more all the same: whoever feeds it stops reading then.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "penstock/wire/slice.h"

namespace penstock::load {

class Backlog {
 public:
  /// Buffers that a connection may hold before it is not read any more; Worker counts with them.
  static constexpr std::size_t most_buffers = 4;

  /// Adds to the end; small pieces move together.
  void push(wire::Slice slice);
  /// Moves bytes from the front to `to`; how many.
  [[nodiscard]] std::size_t take(std::span<std::byte> to) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] bool full() const noexcept { return slices_.size() >= most_buffers; }

 private:
  std::vector<wire::Slice> slices_;
  std::size_t size_ = 0;
};

}  // namespace penstock::load
