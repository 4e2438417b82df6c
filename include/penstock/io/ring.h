// Ring: writes SQEs and hands out completions. One thread's. It knows nothing of sessions; what it
// guarantees is that an Op is submitted at most once at a time, that a full submission queue is
// flushed instead of dropped, and that in_flight() is the exact number of requests that the kernel
// still holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "penstock/base/result.h"
#include "penstock/io/kernel.h"
#include "penstock/io/op.h"

struct io_uring_sqe;

namespace penstock::io {

class Ring {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Ring>> open(Kernel& kernel,
                                                          const RingOptions& options);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  /// Accepts from `listener_fd` until cancelled (multishot) or once; result: a descriptor.
  void accept(Op& op, int listener_fd) noexcept;
  /// Connects; `peer` must live until the completion.
  void connect(Op& op, int fd, const Endpoint& peer) noexcept;
  /// Receives into a buffer of `group`, chosen when data comes; result: bytes, 0 at FIN, -ENOBUFS
  /// when none was posted.
  void receive(Op& op, int fd, std::uint16_t group, std::size_t size, bool expect_data) noexcept;
  /// Receives into `to`, which must live until the completion.
  void receive_into(Op& op, int fd, std::span<std::byte> to) noexcept;
  /// The same, but completes with -EAGAIN when there is no data now.
  void receive_now(Op& op, int fd, std::span<std::byte> to) noexcept;
  /// Sends what the socket takes now; result: bytes, perhaps fewer than asked, or -EAGAIN. It never
  /// waits: a waiting send to a peer that has ended its own stream is polled in a busy loop by the
  /// kernel (which takes the peer's FIN for readiness), 128 times, and then given to a worker
  /// thread (seen on 6.18). `bytes` must live until the completion.
  void send(Op& op, int fd, std::span<const std::byte> bytes) noexcept;
  /// Completes once `fd` can be read from (its low watermark counts), or has ended or broken.
  void wait_readable(Op& op, int fd) noexcept;
  /// Completes each time that `fd` may have become writable, once at first, until cancelled or
  /// ended by the kernel.
  void watch_writable(Op& op, int fd) noexcept;
  /// Waits for a notify() of `event_fd`.
  void wait_event(Op& op, int event_fd) noexcept;
  /// Cancels `target`, which completes by itself; result: 0, or negative when it could not be
  /// cancelled now.
  void cancel(Op& op, const Op& target) noexcept;
  /// Cancels everything in flight on `fd`; result: how many, 0 included. The cancelled ops complete
  /// by themselves. The kernel looks at every request of the ring for it (seen on 6.18: 0.9 ms with
  /// 5000 in flight), so it is for rings with few.
  void cancel_all(Op& op, int fd) noexcept;

  /// Submits what was prepared and waits until a completion is there or `until` has come. Error:
  /// the ring is broken.
  [[nodiscard]] Result<void> wait(Instant until) noexcept;
  /// Calls on_completion(Completion) for each completion that is there, at most about `turn_limit`,
  /// so that timers get their turn. The callback may submit. Returns how many there were.
  template <class F>
  std::size_t drain(F&& on_completion) {
    std::size_t handled = 0;
    while (handled < turn_limit) {
      const std::size_t count = reap();
      if (count == 0) break;
      for (std::size_t i = 0; i < count; ++i) {
        Op& op = settle(batch_[i]);
        on_completion(Completion{op, batch_[i].result, batch_[i].flags});
      }
      handled += count;
    }
    return handled;
  }

  /// More completions of the same op will come (multishot).
  [[nodiscard]] static bool more_coming(const Completion& completion) noexcept;
  /// The socket had more data when the receive completed.
  [[nodiscard]] static bool socket_nonempty(const Completion& completion) noexcept;

  [[nodiscard]] std::uint64_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] Kernel& kernel() noexcept { return kernel_; }
  [[nodiscard]] FeatureSet features() const noexcept { return features_; }
  [[nodiscard]] io_uring& raw() noexcept { return *ring_; }

 private:
  static constexpr std::size_t turn_limit = 4096;
  static constexpr std::size_t batch_size = 64;
  struct Raw {
    std::uint64_t user_data;
    int result;
    std::uint32_t flags;
  };

  Ring(Kernel& kernel, const RingOptions& options);
  [[nodiscard]] io_uring_sqe* take_sqe(Op& op, OpKind kind) noexcept;
  [[nodiscard]] std::size_t reap() noexcept;
  [[nodiscard]] Op& settle(const Raw& raw) noexcept;

  Kernel& kernel_;
  FeatureSet features_;
  std::unique_ptr<io_uring> ring_;  // incomplete here: liburing's header stays inside io
  bool opened_ = false;
  std::uint64_t in_flight_ = 0;
  std::uint64_t event_value_ = 0;  // where eventfd reads land; the value does not matter
  Raw batch_[batch_size];          // copied out first: a handler may submit
};

}  // namespace penstock::io
