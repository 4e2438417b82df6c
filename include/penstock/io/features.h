// The features of the kernel's io_uring that penstock uses, each probed at start by trying it.
// Required ones missing: the process refuses to start and says why. Optional ones missing, or
// listed in process.io_disable: it steps down.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock::io {

// name, required, kernel it came with, what is lost without it
#define PENSTOCK_IO_FEATURES(X)                                                             \
  X(buffer_ring, true, "5.19", "receive buffers are lent only when data comes")             \
  X(cancel_fd, true, "5.19", "sessions can be ended while something is in flight")          \
  X(wait_timeout, true, "5.11",                                                             \
    "one call per loop turn waits for completions or the next deadline")                    \
  X(single_issuer, false, "6.0", "the kernel skips locking the ring")                       \
  X(defer_taskrun, false, "6.1", "completions run in batches when the shard asks for them") \
  X(coop_taskrun, false, "5.19", "completions do not interrupt the shard")                  \
  X(registered_ring, false, "5.18", "the ring's descriptor is looked up once")              \
  X(multishot_accept, false, "5.19", "one submission accepts many connections")             \
  X(poll_first, false, "5.19", "a receive on an empty socket is not tried twice")           \
  X(splice, false, "2.6.17", "bulk data passes through the kernel without being copied")

enum class Feature : std::uint8_t {
#define PENSTOCK_X(name, required, since, gain) name,
  PENSTOCK_IO_FEATURES(PENSTOCK_X)
#undef PENSTOCK_X
};

struct FeatureInfo {
  Feature feature;
  std::string_view name;
  bool required;
  std::string_view since;  ///< kernel release
  std::string_view gain;   ///< what it is good for, a clause
};

/// Every feature, in the order of the enumeration.
[[nodiscard]] std::span<const FeatureInfo> all_features() noexcept;
/// Null for a name that is not a feature.
[[nodiscard]] const FeatureInfo* feature_named(std::string_view name) noexcept;

class FeatureSet {
 public:
  constexpr FeatureSet() noexcept = default;
  [[nodiscard]] static constexpr FeatureSet all() noexcept {
    FeatureSet set;
    set.bits_ = ~std::uint32_t{0};
    return set;
  }
  [[nodiscard]] constexpr bool has(Feature feature) const noexcept {
    return (bits_ & bit(feature)) != 0;
  }
  constexpr void add(Feature feature) noexcept { bits_ |= bit(feature); }
  constexpr void remove(Feature feature) noexcept { bits_ &= ~bit(feature); }

 private:
  [[nodiscard]] static constexpr std::uint32_t bit(Feature feature) noexcept {
    return std::uint32_t{1} << static_cast<unsigned>(feature);
  }
  std::uint32_t bits_ = 0;
};

/// Tries every feature that is not in `disabled` on a ring and a socket pair of its own; a required
/// one must not be there. Error: one of those is missing; the sentence names the cause (sysctl,
/// seccomp, memlock, kernel too old) and the remedy.
[[nodiscard]] Result<FeatureSet> probe_features(FeatureSet disabled);

/// One line for the log: "tier defer_taskrun, kernel 6.18.44; without: multishot_accept (switched
/// off)".
[[nodiscard]] std::string describe(FeatureSet available, FeatureSet disabled);

}  // namespace penstock::io
