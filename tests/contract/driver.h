// Driver: production's Ring and BufferPool, run by hand: each call submits one operation, wait()
// runs the ring until it completes. It owns the operations and the descriptors, and ends what is
// still in flight when a test is over or has failed.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/io/buffer_pool.h"
#include "penstock/io/ring.h"
#include "world.h"

namespace penstock::contract {

/// A completion, with the buffer that it used; the buffer is free again when this is destroyed.
struct Outcome {
  int result = 0;
  bool more = false;      ///< further completions of the operation will come
  bool nonempty = false;  ///< the socket had more to read
  io::Buffer buffer;
  std::string data;  ///< what was received
};

class Driver {
 public:
  explicit Driver(World& world,
                  const io::BufferPool::Options& buffers = {
                      .small_count = 64, .large_count = 4, .small_posted = 16, .large_posted = 4});
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver();

  /// Closes `fd` at the end unless close() or close_with_reset() came before.
  int own(int fd);
  void close(int fd);
  void close_with_reset(int fd);

  io::Op& accept(int listener_fd);
  io::Op& receive(int fd, bool expect_data = false);
  io::Op& receive_into(int fd, std::span<std::byte> to);
  io::Op& receive_now(int fd, std::span<std::byte> to);
  io::Op& send(int fd, std::string bytes);
  io::Op& watch_writable(int fd);
  io::Op& wait_readable(int fd);
  /// Opens a socket too; its descriptor is opened().
  io::Op& connect(const Endpoint& peer);
  [[nodiscard]] int opened() const noexcept { return opened_; }
  io::Op& cancel(int fd);
  io::Op& cancel(io::Op& target);
  io::Op& wait_event(int event_fd);

  /// The next completion of `op`. Fails the test when none comes.
  Outcome wait(io::Op& op);
  /// No completion of `op` comes for some time.
  [[nodiscard]] bool stays_quiet(io::Op& op);
  /// Runs the ring until `reached()`; false when that takes too long.
  template <class F>
  [[nodiscard]] bool eventually(F&& reached) {
    for (int i = 0; i < patience; ++i) {
      if (reached()) return true;
      turn(0ms);
      world_.pause();
    }
    return reached();
  }
  /// Sends on `fd` until it takes no more, and still no more after a while; the bytes taken.
  std::size_t fill(int fd);
  /// One wait of the ring, at most `limit` long.
  void turn(Duration limit);
  [[nodiscard]] io::BufferPool& pool() noexcept { return *pool_; }

 private:
  static constexpr int patience = 3000;  // pauses of 1 ms

  io::Op& new_op(int fd);
  void end_all() noexcept;

  World& world_;
  std::unique_ptr<io::Ring> ring_;
  std::unique_ptr<io::BufferPool> pool_;
  std::deque<io::Op> ops_;
  std::map<const io::Op*, int> fd_of_;
  std::map<const io::Op*, std::deque<Outcome>> outcomes_;
  std::deque<std::string> sent_;
  std::deque<Endpoint> peers_;
  std::vector<int> owned_;
  int opened_ = -1;
};

}  // namespace penstock::contract
