// Filling the last buffer before another one is held.
#include "backlog.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock::load {

void Backlog::push(wire::Slice slice) {
  if (slice.empty()) return;
  size_ += slice.size();
  if (!slices_.empty()) {
    const std::span<std::byte> room = slices_.back().room();
    const std::size_t part = std::min(room.size(), slice.size());
    std::memcpy(room.data(), slice.readable().data(), part);
    slices_.back().produced(part);
    slice.consumed(part);
  }
  if (!slice.empty()) slices_.push_back(std::move(slice));
}

std::size_t Backlog::take(std::span<std::byte> to) noexcept {
  std::size_t taken = 0;
  auto slice = slices_.begin();
  while (slice != slices_.end() && taken < to.size()) {
    const std::size_t part = std::min(slice->size(), to.size() - taken);
    std::memcpy(to.data() + taken, slice->readable().data(), part);
    taken += part;
    slice->consumed(part);
    if (slice->empty()) ++slice;
  }
  slices_.erase(slices_.begin(), slice);
  size_ -= taken;
  return taken;
}

}  // namespace penstock::load
