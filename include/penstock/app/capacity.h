// How many connections fit into this process: descriptors first, since they are what runs out.
// Pure; asked once, by the supervisor, at start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace penstock::app {

/// What else needs descriptors beside sessions.
struct DescriptorNeeds {
  std::size_t listening_sockets = 0;
  std::size_t shards = 0;
  std::size_t probes = 0;  ///< health checks that may run at once
  std::size_t pipes = 0;   ///< for splicing
};

/// Bytes of pipes that the process may have together: half of what the kernel lets a user without
/// privileges have (pipe(7), pipe-user-pages-soft), since there may be others of the same user.
[[nodiscard]] std::uint64_t pipe_memory_share();
/// The pipes that `bytes` are enough for; fewer where they would take more than an eighth of the
/// descriptors.
[[nodiscard]] std::size_t pipes_for(std::uint64_t bytes, std::size_t pipe_size,
                                    std::uint64_t descriptor_limit) noexcept;

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
