// What SimKernel keeps for each descriptor, request, buffer group and ring. Private to its sources.
#pragma once

#include <liburing.h>

#include <bitset>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim_kernel.h"

namespace penstock::sim {

/// A pipe of the kernel's, which both its ends hold.
struct SimPipe {
  std::string bytes;
  std::size_t size = 0;
};

/// What a descriptor stands for: one of a listener, a connection, an event, an end of a pipe, or a
/// socket that is not connected (yet).
struct SimKernel::Socket {
  Listener* listener = nullptr;
  Stream* stream = nullptr;
  std::shared_ptr<Dial> dial;
  bool is_event = false;
  std::uint64_t event_count = 0;
  std::shared_ptr<SimPipe> pipe;
  bool never_waits = false;
};

/// The fields of an SQE that anybody here looks at.
struct Asked {
  std::uint8_t opcode = 0;
  std::uint8_t flags = 0;
  std::uint16_t ioprio = 0;
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  std::uint32_t op_flags = 0;  ///< of the operation: msg_flags, accept_flags, cancel_flags
  std::uint64_t user_data = 0;
  std::uint16_t buffer_group = 0;
};

/// An SQE that has no final completion yet.
struct SimKernel::Request {
  Asked asked;
  std::shared_ptr<Socket> socket;  ///< null: a cancel, whose result is fixed
  bool cancelled = false;
  std::optional<int> fixed;       ///< the result, known from the start
  bool tried_at_once = false;     ///< of a receive: there was data, so no low watermark counts
  std::uint64_t events_seen = 0;  ///< of a poll: writable events told so far
  bool told_once = false;         ///< of a poll
  std::string snapshot;           ///< what a send was given; it may not change under way
  Endpoint peer;                  ///< of a connect
};

/// Provided buffers: the ring's memory is shared with the application, which moves the tail.
struct SimKernel::BufferGroup {
  struct Posted {
    std::uint32_t size = 0;
    std::uint16_t id = 0;
  };
  std::unique_ptr<io_uring_buf[]> memory;
  std::uint32_t entries = 0;
  std::uint16_t head = 0;                     ///< next to lend
  std::uint16_t seen = 0;                     ///< next that is new to us
  std::map<const std::byte*, Posted> posted;  ///< by address
  std::bitset<65536> posted_ids;

  [[nodiscard]] io_uring_buf_ring& ring() const noexcept {
    return *reinterpret_cast<io_uring_buf_ring*>(memory.get());
  }
  [[nodiscard]] io_uring_buf& at(std::uint16_t position) const noexcept {
    return memory[position & (entries - 1)];
  }
  [[nodiscard]] bool overlaps(const std::byte* begin, std::size_t size) const noexcept;
};

struct SimKernel::Queue {
  io_uring* ring = nullptr;
  std::vector<io_uring_sqe> sqes;
  std::vector<io_uring_cqe> cqes;
  unsigned sq_head = 0;
  unsigned sq_tail = 0;
  unsigned cq_head = 0;
  unsigned cq_tail = 0;
  std::deque<io_uring_cqe> overflow;  ///< completions that found the ring full, in their order
  std::list<Request> pending;
  std::map<std::uint16_t, BufferGroup> groups;
  Instant wakes_at = Instant::min();  ///< it can go on from then on; min: at once

  [[nodiscard]] bool is_full() const noexcept { return cq_tail - cq_head == cqes.size(); }
  [[nodiscard]] bool has_completions() const noexcept {
    return cq_head != cq_tail || !overflow.empty();
  }
};

}  // namespace penstock::sim
