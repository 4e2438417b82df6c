// The options of `penstock-load run` that say how the load comes: how fast, how long, how evenly.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "option_values.h"
#include "penstock/load/units.h"
#include "run_command.h"

namespace penstock::load {
namespace {

constexpr const char* beside_rate = "100";  // a second, on the active connections of a crowd
constexpr std::uint32_t largest_burst = 1'000'000;

}  // namespace

void RunCommand::add_shape(CLI::App& command) {
  command
      .add_option(
          "--rate", rate_,
          "open loop: operations a second, such as 5000 or 20k; max: search for the highest")
      ->option_text("N");
  command.add_option("--ramp", ramp_, "open loop: a rate that grows, FROM:TO:DURATION")
      ->option_text("RAMP");
  command.add_option("--steps", steps_, "open loop: rates one after another, 1k,2k,4k@10s")
      ->option_text("STEPS");
  command.add_option("--arrival", arrival_, "uniform or poisson (uniform)")->option_text("KIND");
  command
      .add_option("--burst", burst_, "open loop: operations at each arrival, at the same rate (1)")
      ->check(CLI::Range(1U, largest_burst))
      ->option_text("N");
  command.add_flag("--no-catchup", no_catchup_,
                   "open loop: skip what finds no free connection or comes 1ms late; hides stalls");
  command.add_flag("--closed", closed_, "closed loop: the next operation begins when one ends");
  command
      .add_option("-d,--duration", duration_, "how long (10s); with --rate max: an attempt (3s)")
      ->option_text("TIME");
  command.add_option("--warmup", warmup_, "not measured, at the beginning (0s)")
      ->option_text("TIME");
  command.add_option("-n,--count", operations_, "end after so many operations")
      ->check(CLI::PositiveNumber)
      ->option_text("N");
}

/// A steady rate, or the one that a search begins with.
Result<void> RunCommand::set_rate(RunOptions& options, const std::string& text) const {
  const char* option = options.search ? "--start-rate" : "--rate";
  auto rate = parse_rate(options.search ? start_rate_ : text);
  if (!rate) return fail(fmt::format("{}: {}", option, rate.error().message));
  options.profile = {{*rate, *rate, options.duration}};
  options.profile_text = text;
  return {};
}

Result<void> RunCommand::set_shape(RunOptions& options) const {
  options.search = rate_ == "max";
  const std::string duration = options.search ? "3s" : "10s";
  if (auto set = read_positive_duration("--duration", duration_.empty() ? duration : duration_,
                                        options.duration);
      !set) {
    return set;
  }
  const int shapes =
      int{!rate_.empty()} + int{!ramp_.empty()} + int{!steps_.empty()} + int{closed_};
  const bool crowd = has_crowd(options.mode);
  if (crowd && closed_) return fail(fmt::format("--closed means nothing in mode {}", mode_));
  if (crowd && active_ == 0 && shapes > 0) {
    return fail("--rate, --ramp and --steps are of the requests, and --active 0 says none");
  }
  if (shapes > 1 || (shapes == 0 && !crowd)) {
    return fail(
        "say how the load comes with one of --rate, --ramp, --steps (open loop) and "
        "--closed");
  }
  options.closed_loop = closed_;
  const bool usual = crowd && shapes == 0 && active_ > 0;
  if (!rate_.empty() || usual) {
    if (auto set = set_rate(options, usual ? beside_rate : rate_); !set) return set;
  }
  if (const std::string& text = ramp_.empty() ? steps_ : ramp_; !text.empty()) {
    auto profile = ramp_.empty() ? parse_steps(text) : parse_ramp(text);
    if (!profile) return std::unexpected(profile.error());
    options.profile = std::move(*profile);
    options.profile_text = text;
    options.duration = length_of(options.profile);
  }
  if (auto set = read_word("--arrival", arrival_, {"uniform", "poisson"}, options.arrival); !set) {
    return set;
  }
  options.burst = burst_;
  options.catch_up = !no_catchup_;
  if (operations_ > 0) options.operations = operations_;
  if (auto set = read_duration("--warmup", warmup_, options.warmup); !set) return set;
  if (options.warmup >= options.duration) {
    return fail(fmt::format("--warmup {} leaves nothing of the {} to measure", warmup_,
                            duration_text(options.duration)));
  }
  return {};
}

}  // namespace penstock::load
