// OpenSSL's memory under the test switch --fail-alloc: in builds with checks, its allocations ask
// whether they fail. Nothing has to be switched on here: it is so from the start of the process.
#pragma once

namespace penstock::tls {

/// Whether OpenSSL's allocations ask; false in builds without checks.
[[nodiscard]] bool memory_can_fail() noexcept;

}  // namespace penstock::tls
