// EchoResponder: sends back what comes. It holds no more than a few buffers: while they are full,
// nothing is read. For Chaos to derive from.
#pragma once

#include <array>

#include "backlog.h"
#include "responder.h"

namespace penstock::load {

class EchoResponder : public Responder {
 public:
  /// `begin`: bytes that came already, fewer than a preface has.
  EchoResponder(Peer& its_peer, std::span<const std::byte> begin) noexcept;
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override;
  void consume(std::span<const std::byte> bytes) override;
  void ended() override;

 private:
  Backlog backlog_;
  std::array<std::byte, Preface::size> begin_{};
  std::size_t begin_size_ = 0;
};

}  // namespace penstock::load
