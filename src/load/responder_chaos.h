// Responders that go wrong, each in its own way.
#pragma once

#include <memory>

#include "responder.h"

namespace penstock::load {

/// What a connection meets with.
struct ChaosDraw {
  Chaos kind = Chaos::close;
  std::uint64_t bytes = 0;   ///< after which it happens
  std::uint64_t random = 0;  ///< flip: the bit, modulo 8; garbage: its seed
};
/// `number`: of the connection, from 0. The same options give the same draws.
[[nodiscard]] ChaosDraw draw_chaos(const ServiceOptions& options, std::uint64_t number) noexcept;

/// One of those that the options allow, drawn for the connection's number.
[[nodiscard]] std::unique_ptr<Responder> make_chaos(Peer& peer);

}  // namespace penstock::load
