// BoundedRing: a queue of fixed capacity with one writer and one reader, two positions that only
// grow: each side stores its own and reads the other's, so neither ever waits.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <vector>

#include "penstock/base/assert.h"

namespace penstock::stats {

template <class Record>
class BoundedRing {
 public:
  /// `capacity`: a power of two.
  explicit BoundedRing(std::size_t capacity) : records_(capacity) {
    PENSTOCK_ASSERT(capacity != 0 && (capacity & (capacity - 1)) == 0);
  }

  /// False when the ring is full: the record is lost.
  [[nodiscard]] bool push(const Record& record) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    // Pairs with the release in pop(): the slot is ours only after the reader has copied what was
    // in it.
    if (tail - head_.load(std::memory_order_acquire) == records_.size()) return false;
    records_[tail & (records_.size() - 1)] = record;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  /// The oldest record, or nullopt when there is none now.
  [[nodiscard]] std::optional<Record> pop() noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
    std::optional<Record> record = records_[head & (records_.size() - 1)];
    head_.store(head + 1, std::memory_order_release);
    return record;
  }

 private:
  std::vector<Record> records_;
  alignas(64) std::atomic<std::size_t> head_{0};  // next to read; the reader's
  alignas(64) std::atomic<std::size_t> tail_{0};  // next to write; the writer's
};

}  // namespace penstock::stats
