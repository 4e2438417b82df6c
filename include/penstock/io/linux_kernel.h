// LinuxKernel: the Kernel that is one. Holds no state; every shard and the health thread may share
// one instance.
#pragma once

#include "penstock/io/kernel.h"

namespace penstock::io {

class LinuxKernel final : public Kernel {
 public:
  [[nodiscard]] Result<void> open_ring(io_uring& ring, const RingOptions& options) override;
  void close_ring(io_uring& ring) noexcept override;
  [[nodiscard]] Result<io_uring_buf_ring*> open_buffer_ring(io_uring& ring, std::uint32_t entries,
                                                            std::uint16_t group) override;
  void close_buffer_ring(io_uring& ring, io_uring_buf_ring* buffers, std::uint32_t entries,
                         std::uint16_t group) noexcept override;
  [[nodiscard]] int enter(io_uring& ring, std::uint32_t wait_for, Instant until) noexcept override;

  [[nodiscard]] int open_socket(const Endpoint& peer,
                                const ConnectionOptions& options) noexcept override;
  [[nodiscard]] int connect_now(int fd, const Endpoint& peer) noexcept override;
  [[nodiscard]] int accept_now(int listener_fd) noexcept override;
  [[nodiscard]] Endpoint peer_of(int fd) noexcept override;
  int shutdown_write(int fd) noexcept override;
  [[nodiscard]] std::size_t unacknowledged(int fd) noexcept override;
  [[nodiscard]] std::uint32_t retransmits(int fd) noexcept override;
  [[nodiscard]] int open_pipe(std::size_t size, PipeEnds& ends) noexcept override;
  [[nodiscard]] int splice(int from, int to, std::size_t most) noexcept override;
  void never_wait(int fd) noexcept override;
  void set_low_watermark(int fd, std::size_t bytes) noexcept override;
  void close(int fd) noexcept override;
  void close_with_reset(int fd) noexcept override;

  [[nodiscard]] Result<int> open_event() override;
  void notify(int event_fd) noexcept override;

  [[nodiscard]] Instant now() noexcept override;
};

}  // namespace penstock::io
