// The arithmetic of descriptors and of pipes.
#include "penstock/app/capacity.h"

#include <algorithm>
#include <fstream>

namespace penstock::app {
namespace {

constexpr std::uint64_t per_session = 2;
constexpr std::uint64_t per_pipe = 2;

// A shard's ring, its event, and connections that a multishot accept brings in beyond the limit
// before it is cancelled: they are parked.
constexpr std::uint64_t per_shard = 2 + 16;

// The checker's ring and event.
constexpr std::uint64_t for_health = 2;

// Standard streams, signals, events, the access log, certificates being read, whatever the service
// manager left open.
constexpr std::uint64_t reserve = 64;

// Where a limit is practically absent ("infinity" of container runtimes is 2^30), this is what "as
// many as fit" means: each shard reserves address space for all of them.
constexpr std::uint64_t most_connections = 1'000'000;

}  // namespace

std::uint64_t descriptors_for(std::uint64_t connections, const DescriptorNeeds& needs) noexcept {
  const std::uint64_t probes = needs.probes == 0 ? 0 : needs.probes + for_health;
  return per_session * connections + needs.listening_sockets + per_shard * needs.shards + probes +
         per_pipe * needs.pipes + reserve;
}

std::uint64_t pipe_memory_share() {
  constexpr std::uint64_t page = 4096;
  constexpr std::uint64_t kernels_default = 16384;
  std::uint64_t pages = 0;
  std::ifstream("/proc/sys/fs/pipe-user-pages-soft") >> pages;
  return (pages == 0 ? kernels_default : pages) * page / 2;  // 0: no limit, or not to be read
}

std::size_t pipes_for(std::uint64_t bytes, std::size_t pipe_size,
                      std::uint64_t descriptor_limit) noexcept {
  return std::min(bytes / pipe_size, descriptor_limit / (8 * per_pipe));
}

Capacity capacity_for(std::uint64_t limit, const DescriptorNeeds& needs,
                      std::optional<std::uint32_t> wanted) noexcept {
  const std::uint64_t others = descriptors_for(0, needs);
  const std::uint64_t fitting = limit > others ? (limit - others) / per_session : 0;
  const std::uint64_t asked = wanted ? *wanted : most_connections;
  const auto connections = static_cast<std::uint32_t>(std::min(fitting, asked));
  return {.connections = connections, .clamped = wanted && connections < *wanted};
}

}  // namespace penstock::app
