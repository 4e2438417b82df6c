// Fate: what a negative result of an operation on a connection means for it. The one place where
// errno is interpreted.
#pragma once

#include <cstdint>

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

}  // namespace penstock::io
