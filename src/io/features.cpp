// The table of features and their text. What the kernel really has is found out in probe.cpp.
#include "penstock/io/features.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>

namespace penstock::io {
namespace {

constexpr std::array table = {
#define PENSTOCK_X(name, required, since, gain) \
  FeatureInfo{Feature::name, #name, required, since, gain},
    PENSTOCK_IO_FEATURES(PENSTOCK_X)
#undef PENSTOCK_X
};

/// How completions are run decides most of what a shard costs, so it names the tier.
std::string_view tier_of(FeatureSet available) {
  if (available.has(Feature::defer_taskrun)) return "defer_taskrun";
  if (available.has(Feature::coop_taskrun)) return "coop_taskrun";
  return "plain";
}

}  // namespace

std::span<const FeatureInfo> all_features() noexcept { return table; }

const FeatureInfo* feature_named(std::string_view name) noexcept {
  const auto* found = std::ranges::find(table, name, &FeatureInfo::name);
  return found != table.end() ? found : nullptr;
}

std::string describe(FeatureSet available, FeatureSet disabled) {
  utsname system{};
  ::uname(&system);
  std::string without;
  for (const FeatureInfo& info : table) {
    if (available.has(info.feature)) continue;
    without += fmt::format("{}{} ({})", without.empty() ? "" : ", ", info.name,
                           disabled.has(info.feature) ? "switched off by process.io_disable"
                                                      : fmt::format("needs Linux {}", info.since));
  }
  return fmt::format("tier {}, kernel {}{}{}", tier_of(available), system.release,
                     without.empty() ? ", every feature in use" : "; without: ", without);
}

}  // namespace penstock::io
