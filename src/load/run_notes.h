// What a mode has to say of a run beyond what all modes have.
#pragma once

#include "penstock/load/run_result.h"

namespace penstock::load {

/// `window`: what was counted between the warm-up and the end; `total`: in all.
[[nodiscard]] std::vector<NamedText> notes_of(const RunFacts& facts, const Counters& window,
                                              const Counters& total);

}  // namespace penstock::load
