// The texts that a configuration value can be: durations, sizes, sets of HTTP statuses. Pure
// functions, for the configuration file and for command lines alike; an error is a clause that
// follows the name of the value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/config/config.h"
#include "penstock/time/instant.h"

namespace penstock::config {

/// A whole number and one of ms, s, m, h: "250ms", "2s", "1h". Error: what is wrong and an example
/// of what is right.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
/// As parse_duration(), with ns and us, too: for what is measured, which no setting is as fine as.
[[nodiscard]] Result<Duration> parse_fine_duration(std::string_view text);
/// The shortest text that parse_duration() reads back; sub-millisecond parts are dropped.
[[nodiscard]] std::string duration_text(Duration duration);

/// A whole number and one of B, KiB, MiB, GiB: "64KiB". In bytes.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);
/// The text in the largest unit that makes it a whole number.
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// HTTP statuses and ranges of them, separated by commas: "200-399", "200", "200,204". Each is 100
/// … 599; a range of interim ones only (RFC 9110, 15.2), which no check sees, is an error.
[[nodiscard]] Result<std::vector<StatusRange>> parse_statuses(std::string_view text);

}  // namespace penstock::config
