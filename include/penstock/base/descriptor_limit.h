// The limit of open files (RLIMIT_NOFILE), which is what runs out first.
#pragma once

#include <cstdint>

namespace penstock {

/// Raises the soft limit as far as this user may: to the hard limit, and beyond it, up to `wanted`,
/// with the privilege to. Returns the limit that holds now.
[[nodiscard]] std::uint64_t raise_descriptor_limit(std::uint64_t wanted) noexcept;

}  // namespace penstock
