// Lines while a run lasts.
#include "penstock/load/report_live.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "penstock/load/rate_profile.h"
#include "penstock/load/units.h"
#include "report_parts.h"

namespace penstock::load {
namespace {

std::string rate_text(const LiveState& state) {
  std::string text = number_text(per_second(state.last.count.operations, state.last.length)) + "/s";
  if (state.asked_per_second > 0) {
    text += fmt::format(" of {}/s", number_text(state.asked_per_second));
  }
  return text;
}

std::string time_text(const LiveState& state) {
  std::string text = duration_text(state.elapsed);
  if (state.whole) text += fmt::format(" of {}", duration_text(*state.whole));
  return text;
}

std::string progress_bar(const LiveState& state, std::size_t columns) {
  const std::string title = fmt::format("{} loop{}", state.loop == Loop::open ? "OPEN" : "CLOSED",
                                        state.warming_up ? ", warming up" : "");
  if (!state.whole || *state.whole <= Duration::zero()) {
    return fmt::format("{}  {}", title, time_text(state));
  }
  const double share = std::clamp(seconds(state.elapsed) / seconds(*state.whole), 0.0, 1.0);
  const std::string after = fmt::format("{:>3.0f}%  {}", 100 * share, time_text(state));
  constexpr std::size_t longest = 50;
  constexpr std::size_t shortest = 5;
  const std::size_t around = title.size() + after.size() + 6;  // brackets and blanks
  const std::size_t room = columns > around ? columns - around : 0;
  const std::size_t length = std::clamp(room, shortest, longest);
  const auto done = static_cast<std::size_t>(std::floor(share * static_cast<double>(length)));
  return fmt::format("{}  [{}{}]  {}", title, std::string(done, '#'),
                     std::string(length - done, '-'), after);
}

std::string opening_text(const LiveState& state) {
  return fmt::format("opening connections: {} of {} are there, {} attempts failed",
                     state.opening->opened, state.opening->wanted, state.errors);
}

}  // namespace

std::string live_line(const LiveState& state) {
  if (state.opening) return opening_text(state) + "\n";
  const Interval& last = state.last;
  return fmt::format(
      "{:>8}  {:>8}/s  p50 {:>7}  p99 {:>7}  max {:>7}  waiting {:>4}  errors {}{}\n",
      duration_text(state.elapsed), number_text(per_second(last.count.operations, last.length)),
      duration_text(last.latency_p50), duration_text(last.latency_p99),
      duration_text(last.latency_max), last.waiting, last.errors,
      state.warming_up ? "  (warm-up)" : "");
}

std::string attempt_line(const Step& step) {
  std::vector<std::string> reasons;
  const std::string text =
      fmt::format("{}/s {}", number_text(step.asked_per_second), step.holds() ? "holds" : "fails");
  for (const Finding& finding : step.findings) {
    if (finding.holds && !step.holds()) continue;
    reasons.push_back(finding.text);
  }
  return fmt::format("{}: {}\n", text, fmt::join(reasons, ", "));
}

std::string live_view(const LiveState& state, std::size_t columns, Redraw redraw) {
  const Interval& last = state.last;
  // In the last column a terminal may be about to wrap, and clear what it shows there.
  const std::size_t room = std::max<std::size_t>(columns, 1) - 1;
  const std::string lines[] = {
      state.opening ? opening_text(state) : progress_bar(state, room),
      fmt::format("{}   p50 {}   p99 {}   max {}", rate_text(state),
                  duration_text(last.latency_p50), duration_text(last.latency_p99),
                  duration_text(last.latency_max)),
      fmt::format("{} done   {} errors   waiting {}   lag p99 {}   {} in   {} out",
                  state.operations, state.errors, last.waiting, duration_text(last.lag_p99),
                  byte_rate_text(last.count.bytes_in, last.length),
                  byte_rate_text(last.count.bytes_out, last.length)),
  };
  constexpr std::string_view clear_rest = "\x1b[K";
  std::string text =
      redraw == Redraw::again ? fmt::format("\x1b[{}A", std::size(lines)) : std::string();
  for (const std::string& line : lines) {
    text += fmt::format("\r{}{}\n", line.substr(0, room), clear_rest);
  }
  return text;
}

}  // namespace penstock::load
