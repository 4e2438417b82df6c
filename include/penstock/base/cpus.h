// How many shards, and where: the CPUs that this process may run on and the share of them that its
// control group grants. Asked once, by the supervisor, before any thread is pinned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// The CPUs of the calling thread's affinity mask, ascending. Empty when the kernel does not tell.
[[nodiscard]] std::vector<int> allowed_cpus();

/// CPUs' worth of time per period that a control group grants: version 2's cpu.max ("150000
/// 100000", "max 100000"). nullopt: no limit, or not such a text.
[[nodiscard]] std::optional<double> parse_cpu_max(std::string_view text);

/// The smallest quota of this process's control group and all above it, of version 2 and of
/// version 1. `root` stands before /proc and /sys, for tests.
[[nodiscard]] std::optional<double> cpu_quota(const std::string& root = "");

/// One shard per CPU, at most the quota rounded up, at least one.
[[nodiscard]] std::uint32_t shards_for(std::size_t cpus, std::optional<double> quota) noexcept;

/// Keeps the calling thread on one CPU. False when the kernel refuses; the thread runs anyway.
bool pin_this_thread(int cpu) noexcept;

}  // namespace penstock
