// How a ring is opened with a given set of features: shared by LinuxKernel, which opens rings for
// good, and by the probe, which opens them to see whether it works.
#pragma once

#include <liburing.h>

#include "penstock/io/kernel.h"

namespace penstock::io {

/// 0 or -errno of io_uring_setup.
[[nodiscard]] int setup_ring(io_uring& ring, const RingOptions& options) noexcept;

/// The sentence for a failed io_uring_setup: what forbids it here, and the remedy.
[[nodiscard]] Error explain_setup_failure(int errno_value);

}  // namespace penstock::io
