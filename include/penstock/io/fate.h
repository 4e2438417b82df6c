// Fate: what a negative result of an operation on a connection means for it. The one place where
// errno is interpreted.
#pragma once

#include <cstdint>

#include "penstock/time/instant.h"

namespace penstock::io {

enum class Fate : std::uint8_t {
  again,        ///< nothing happened: submit it again
  no_buffer,    ///< no receive buffer was posted when data came; not the connection's fault
  cancelled,    ///< as we asked
  reset,        ///< the peer has ended the connection
  refused,      ///< nobody listens there, or its backlog is full
  unreachable,  ///< no route, no answer from the network, not permitted by a firewall
  timed_out,    ///< the peer stopped answering
  exhausted,    ///< we lack something: ports, descriptors, memory
};

/// `result`: negative, -errno.
[[nodiscard]] Fate fate_of(int result) noexcept;

/// Of an accept that failed with `result`: the peer has left the queue, or a signal came. Nothing
/// is wrong here, the next may be accepted at once.
[[nodiscard]] bool left_queue(int result) noexcept;
/// How long accepting pauses after any other failure (EMFILE and the like): no spin, quick enough
/// for a person.
inline constexpr Duration accept_pause = 100ms;

}  // namespace penstock::io
