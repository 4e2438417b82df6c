// PipePool: the kernel pipes that bulk data is spliced through, one pool per shard. A direction
// borrows one while it is in bulk. What the pipes of a process may hold together is bounded by a
// PipeBudget, because the kernel gives pages for pipes to a user, not to a process: 64 MiB without
// privileges (pipe-user-pages-soft). A pipe is used at full size or not at all.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "penstock/io/kernel.h"

namespace penstock::io {

/// Bytes of pipes that a process may still open. Any thread.
class PipeBudget {
 public:
  explicit PipeBudget(std::uint64_t bytes) noexcept : left_(bytes) {}
  [[nodiscard]] bool take(std::uint64_t bytes) noexcept;
  void give_back(std::uint64_t bytes) noexcept;
  [[nodiscard]] std::uint64_t left() const noexcept {
    return left_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> left_;
};

class PipePool;

/// A pipe of a pool, and what is in it. Empty when default-made or moved from. Goes back when
/// destroyed, or is closed when bytes are left in it: nobody else may read those.
class Pipe {
 public:
  Pipe() noexcept = default;
  Pipe(Pipe&& from) noexcept;
  Pipe& operator=(Pipe&& from) noexcept;
  ~Pipe() { reset(); }

  [[nodiscard]] explicit operator bool() const noexcept { return pool_ != nullptr; }
  [[nodiscard]] bool empty() const noexcept { return held_ == 0; }
  /// Takes what the socket `fd` has, as far as there is room; result as of Kernel::splice().
  [[nodiscard]] int fill(int fd) noexcept;
  /// Gives the socket `fd` what it takes; result as of Kernel::splice().
  [[nodiscard]] int drain(int fd) noexcept;
  void reset() noexcept;

 private:
  friend class PipePool;
  Pipe(PipePool& pool, PipeEnds ends) noexcept : pool_(&pool), ends_(ends) {}
  PipePool* pool_ = nullptr;
  PipeEnds ends_;
  std::uint32_t held_ = 0;
};

class PipePool {
 public:
  /// `budget` is borrowed; null: there are no pipes. `pipe_size`: bytes, a power of two pages.
  PipePool(Kernel& kernel, PipeBudget* budget, std::size_t pipe_size);
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;
  ~PipePool();

  /// An empty pipe; none when the budget is used up, or the kernel refuses one of that size.
  [[nodiscard]] Pipe take() noexcept;
  /// Closes the pipes that were free ever since the last call. Call it about once a second.
  void trim() noexcept;
  /// Closes every free pipe: opening one costs 3 us, which is little beside what goes through it.
  void close_free() noexcept;

 private:
  friend class Pipe;
  void give_back(PipeEnds ends) noexcept;
  void close(PipeEnds ends) noexcept;

  Kernel& kernel_;
  PipeBudget* budget_;
  std::size_t pipe_size_;
  std::vector<PipeEnds> free_;  // the last one back is the first one out
  std::size_t lowest_free_ = 0;
  std::uint32_t in_use_ = 0;
};

}  // namespace penstock::io
