// Acceptor: takes connections from the listening sockets that a shard was lent and makes sessions
// of them. It knows the two ways of having too many: at max_connections accepting stops and what
// still arrives is parked undialled and served first; without descriptors it backs off. And it
// hands connections over to a shard that has fewer of them. One shard's.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "context.h"
#include "penstock/base/slab.h"
#include "penstock/relay/shard.h"
#include "session.h"

namespace penstock::relay {

class Acceptor {
 public:
  struct Options {
    std::uint32_t max_connections = 0;
    std::atomic<std::uint32_t>& process_sessions;
    std::span<const std::unique_ptr<Inbox>> inboxes;
    ShardId shard;
    std::uint32_t even_enough = 0;
  };
  Acceptor(Context& context, Slab<Session>& sessions, const std::vector<LentListener>& listeners,
           Options options);

  void start();
  void on_completion(const io::Completion& completion);
  /// Takes what other shards have handed over.
  void take_handed_over();
  /// A session of this shard was released.
  void session_ended() noexcept;
  /// Room may have come up: a session of this shard ended, or the pause is over.
  void resume();
  [[nodiscard]] bool owns(const Timer& timer) const noexcept { return &timer == &timer_; }
  /// Accepts what is queued, then gives the listeners back.
  void stop();
  /// Closes what is parked and gives the listeners back without accepting more.
  void abandon();
  /// Stopped, and no listener is used any more.
  [[nodiscard]] bool released() const noexcept;
  [[nodiscard]] bool idle() const noexcept { return parked_.empty(); }
  /// Nothing is handed over to this shard from now on; false if something just was.
  [[nodiscard]] bool close_inbox() noexcept { return inbox_ == nullptr || inbox_->close(); }

 private:
  struct Socket {
    explicit Socket(LentListener lent) noexcept
        : id(lent.id),
          fd(lent.fd),
          accept_op(this, Side::front, role),
          cancel_op(this, Side::front, role) {}
    static constexpr auto role = static_cast<std::uint8_t>(Role::acceptor);
    ListenerId id;
    int fd = -1;
    io::Op accept_op;
    io::Op cancel_op;
    bool released = false;
  };
  struct Parked {
    ListenerId id;
    int fd = -1;
  };

  void arm(Socket& socket) noexcept;
  void accepted(ListenerId id, int fd);
  void take(ListenerId id, int fd);
  [[nodiscard]] bool hand_over(ListenerId id, int fd) noexcept;
  void accept_failed(Socket& socket, int result);
  [[nodiscard]] bool admit(ListenerId id, int fd);
  [[nodiscard]] bool room() const noexcept;
  void park(ListenerId id, int fd);
  void refuse(ListenerId id, int fd, stats::CloseReason reason);
  void pause(Duration at_least);
  void look_again(Duration pause);
  void serve_parked();
  void drain(Socket& socket);

  Context& context_;
  Slab<Session>& sessions_;
  Options options_;
  std::vector<std::unique_ptr<Socket>> sockets_;  // the kernel holds the address of their ops
  std::deque<Parked> parked_;
  Timer timer_;
  Inbox* inbox_ = nullptr;    // this shard's; null: nothing is handed over
  std::size_t neighbor_ = 0;  // the shard that was compared with last
  bool paused_ = false;
  bool stopping_ = false;
  bool abandoned_ = false;
};

}  // namespace penstock::relay
