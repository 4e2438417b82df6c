// A Histogram written down in the two forms of HdrHistogram, for its plotters and log readers.
// Pure. Source: the file formats of github.com/HdrHistogram/HdrHistogram, version 2 of the
// encoding.
#pragma once

#include <cstdint>
#include <string>

#include "penstock/base/result.h"
#include "penstock/load/histogram.h"

namespace penstock::load {

/// What a distribution is of.
enum class Extent : std::uint8_t { whole_run, interrupted_run };

/// The percentile distribution, what a .hgrm file holds: a line for each of five percentiles in
/// every half of what is left up to 100, values in milliseconds. Of a run that was interrupted it
/// says so in a last line, "#[Partial = ...]", which readers skip as they skip all that begin so.
[[nodiscard]] std::string hgrm_text(const Histogram& histogram, Extent extent);

/// The whole histogram in nanoseconds, compressed, in base64: "HISTFAAA…". Decoders add up what
/// several hold. Error: zlib has no memory.
[[nodiscard]] Result<std::string> hgrm_encoded(const Histogram& histogram);

}  // namespace penstock::load
