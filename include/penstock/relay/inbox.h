// Inbox: connections that another shard has accepted and hands over before a byte of them is read.
// One per shard; whoever owns the shards owns it, and it outlives them all. Nobody ever waits for
// it: who finds it in use by another thread goes another way.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "penstock/base/ids.h"
#include "penstock/io/kernel.h"

namespace penstock::relay {

class Inbox {
 public:
  static constexpr std::size_t capacity = 64;  ///< connections on their way
  struct Connection {
    ListenerId listener;
    int fd = -1;
  };
  struct Taken {
    std::array<Connection, capacity> connections{};
    std::size_t count = 0;
  };

  // From any thread:

  /// Sessions of the shard, and connections on their way to it.
  [[nodiscard]] std::uint32_t load() const noexcept {
    return load_.load(std::memory_order_relaxed);
  }
  /// Nothing is on its way.
  [[nodiscard]] bool empty() const noexcept {
    return waiting_.load(std::memory_order_acquire) == 0;
  }
  /// Takes the connection over and wakes the shard, unless it is full, closed or in use.
  [[nodiscard]] bool offer(io::Kernel& kernel, Connection connection) noexcept;

  // By its shard:

  /// From now on connections are welcome; `event_fd` wakes the shard.
  void open(int event_fd) noexcept;
  void add_load() noexcept { load_.fetch_add(1, std::memory_order_relaxed); }
  void subtract_load() noexcept { load_.fetch_sub(1, std::memory_order_relaxed); }
  /// What has come since the last call; it counts no longer as load.
  void take(io::Kernel& kernel, Taken& taken) noexcept;
  /// From now on none is taken. False, and still open, when one has come: take() it first.
  [[nodiscard]] bool close() noexcept;

 private:
  [[nodiscard]] bool enter() noexcept { return !busy_.test_and_set(std::memory_order_acquire); }
  void leave() noexcept { busy_.clear(std::memory_order_release); }

  // Its neighbours read the load at every accept, the rest is written at a hand-over only.
  alignas(64) std::atomic<std::uint32_t> load_{0};
  alignas(64) std::atomic_flag busy_;
  std::atomic<std::uint32_t> waiting_{0};  // written by who is in
  bool open_ = false;
  int event_fd_ = -1;
  Taken arrived_;
};

}  // namespace penstock::relay
