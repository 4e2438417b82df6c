// ProcessWatch: what other processes of this machine hold and use, from /proc, while a run lasts.
#pragma once

#include <vector>

#include "penstock/base/result.h"
#include "penstock/load/run_result.h"

namespace penstock::load {

/// Error: there is no such process, or it may not be looked at.
[[nodiscard]] Result<ProcessSample> sample_process(int process_id, Duration offset);

/// In clauses: memory before, with all connections, and what a connection makes of the difference.
[[nodiscard]] std::vector<NamedText> describe_watched(const std::vector<ProcessSample>& samples,
                                                      std::uint64_t connections);

}  // namespace penstock::load
