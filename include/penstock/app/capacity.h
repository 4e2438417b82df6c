// How many connections fit into this process: descriptors first, since they are what runs out. Pure
// but for raise_descriptor_limit(); asked once, by the supervisor, at start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace penstock::app {

/// Raises RLIMIT_NOFILE's soft limit as far as this user may (to the hard limit, and beyond it with
/// the privilege to, up to what max_connections needs). Returns the limit that holds now.
[[nodiscard]] std::uint64_t raise_descriptor_limit(std::uint64_t wanted) noexcept;

/// What else needs descriptors beside sessions.
struct DescriptorNeeds {
  std::size_t listening_sockets = 0;
  std::size_t shards = 0;
  std::size_t probes = 0;  ///< health checks that may run at once
};

/// Descriptors that have to be allowed for `connections` of them.
[[nodiscard]] std::uint64_t descriptors_for(std::uint64_t connections,
                                            const DescriptorNeeds& needs) noexcept;

struct Capacity {
  std::uint32_t connections = 0;  ///< zero: the limit leaves no room for any
  bool clamped = false;           ///< fewer than `wanted`
};

/// The connections that a descriptor limit carries, at most `wanted` where that is given.
[[nodiscard]] Capacity capacity_for(std::uint64_t limit, const DescriptorNeeds& needs,
                                    std::optional<std::uint32_t> wanted) noexcept;

}  // namespace penstock::app
