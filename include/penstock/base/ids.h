// Strong ids: indexes that cannot be mixed up. Each is a position in a table that its comment
// names.
#pragma once

#include <compare>
#include <cstdint>

namespace penstock {

template <class Tag>
struct Id {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(Id, Id) = default;
};

using BackendId = Id<struct BackendTag>;    ///< the process-wide registry of (pool, backend name)
using ListenerId = Id<struct ListenerTag>;  ///< position among the configuration's listeners
using PoolId = Id<struct PoolTag>;          ///< position among the configuration's pools
using ShardId = Id<struct ShardTag>;        ///< 0 … shards - 1

}  // namespace penstock
