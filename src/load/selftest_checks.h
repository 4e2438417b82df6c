// The accuracy checks of `penstock-load selftest`, each of which measures what is known otherwise.
#pragma once

#include <array>
#include <string_view>

#include "selftest_bench.h"
#include "selftest_figures.h"

namespace penstock::load {

/// Adds its figures to `to` as it has them. Returns early, with what there is, once the bench is
/// interrupted. Error: something could not be measured.
using Check = Result<void> (*)(Bench& bench, Findings& to);

[[nodiscard]] Result<void> check_known_delays(Bench& bench, Findings& to);
[[nodiscard]] Result<void> check_stalls(Bench& bench, Findings& to);
[[nodiscard]] Result<void> check_rates(Bench& bench, Findings& to);
[[nodiscard]] Result<void> check_counters(Bench& bench, Findings& to);
[[nodiscard]] Result<void> check_histogram(Bench& bench, Findings& to);
[[nodiscard]] Result<void> check_against_others(Bench& bench, Findings& to);
[[nodiscard]] Result<void> check_fitness(Bench& bench, Findings& to);
[[nodiscard]] Result<void> check_integrity(Bench& bench, Findings& to);

struct CheckInfo {
  Check check;
  std::string_view name;
  std::string_view text;
};
/// In the order of their numbers, from 1.
inline constexpr std::array all_checks = {
    CheckInfo{check_known_delays, "known delays",
              "the quantiles of a server that answers late, within 1 % + 50 us of its own log"},
    CheckInfo{check_stalls, "coordinated omission",
              "a server that is stopped for a while, within 2 % of the closed form"},
    CheckInfo{check_rates, "rate", "the rate that was asked for, evenly and at random"},
    CheckInfo{check_counters, "counters", "what the client counts is what the server counts"},
    CheckInfo{check_histogram, "histogram", "ten million values, within 0.1 % of sorting them"},
    CheckInfo{check_against_others, "other tools",
              "what other tools measure of the same server, within 10 %, or faster"},
    CheckInfo{check_fitness, "self-interference",
              "a generator that is overloaded is judged unfit, one that is not is not"},
    CheckInfo{check_integrity, "byte integrity",
              "one wrong bit is found where it is, and none where there is none"},
};

}  // namespace penstock::load
