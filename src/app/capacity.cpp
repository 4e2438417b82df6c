// The arithmetic of descriptors.
#include "penstock/app/capacity.h"

#include <algorithm>

namespace penstock::app {
namespace {

constexpr std::uint64_t per_session = 2;

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
         reserve;
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
