// DelayResponder: an echo of messages of one size, each of which comes back after a delay that is
// drawn for it. Messages come back in order, so one may have to wait for those before it.
#pragma once

#include <deque>

#include "backlog.h"
#include "delay_queue.h"
#include "penstock/load/random.h"
#include "responder.h"

namespace penstock::load {

class DelayResponder final : public Responder {
 public:
  explicit DelayResponder(Peer& its_peer) noexcept;
  ~DelayResponder() override;
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override;
  void consume(std::span<const std::byte> bytes) override;
  void ended() override;
  void due() override;

 private:
  struct Message {
    Instant arrived;
    Instant due;
  };
  [[nodiscard]] Duration draw() noexcept;
  void wait();

  Random random_;
  Backlog backlog_;
  std::deque<Message> messages_;  // whole ones in the backlog, but for those that go out
  std::size_t incomplete_ = 0;    // bytes of the message that is coming
  std::size_t sendable_ = 0;      // bytes whose time has come
  Instant waits_for_ = never;
};

}  // namespace penstock::load
