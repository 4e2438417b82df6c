// Tables of at most 100 columns.
#include "summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/result.h"
#include "penstock/load/units.h"

namespace penstock::load {
namespace {

constexpr double percents[] = {50, 75, 90, 95, 99, 99.9, 99.99, 100};

std::string head(const RunOptions& options, const Outcome& outcome) {
  const std::string loop =
      options.closed_loop
          ? std::string("CLOSED loop")
          : fmt::format("OPEN loop at {}, {} arrivals", options.profile_text,
                        options.arrival == Arrival::uniform ? "uniform" : "Poisson");
  return fmt::format(
      "\nmode {} on {}{}: {}\n{} connections, depth {}, {} threads, {} measured{}\n\n",
      name_of(options.mode), options.target_text, options.secure ? " with TLS" : "", loop,
      options.connections, options.depth, options.threads, duration_text(outcome.measured),
      options.warmup > Duration::zero()
          ? fmt::format(" after {} of warm-up", duration_text(options.warmup))
          : "");
}

std::string percentile_table(const Recorder& total) {
  std::string text = fmt::format("{:<11}", "");
  for (const double percent : percents) {
    text += fmt::format("{:>9}", percent == 100 ? "max" : fmt::format("p{}", percent));
  }
  text += fmt::format("{:>9}\n", "mean");
  for (const MeasureInfo& info : all_measures()) {
    const Histogram& seen = total.histogram(info.measure);
    if (seen.count() == 0) continue;
    text += fmt::format("{:<11}", info.name);
    for (const double percent : percents) {
      text += fmt::format("{:>9}", duration_text(seen.percentile(percent)));
    }
    text += fmt::format("{:>9}\n", duration_text(seen.mean()));
  }
  return text;
}

std::string counts(const RunOptions& options, const Outcome& outcome) {
  const Counters& count = outcome.total.count;
  const double span = std::max(seconds(outcome.measured), 1e-9);
  std::string text = fmt::format("\n{} operations went well, {} a second", count.operations,
                                 number_text(static_cast<double>(count.operations) / span));
  if (!options.closed_loop && !options.operations) {
    text += fmt::format(" of {} asked for",
                        number_text(starts_in(options.profile) / seconds(options.duration)));
  }
  text += fmt::format("\n{}B in, {}B out; {} connections", number_text(double(count.bytes_in)),
                      number_text(double(count.bytes_out)), count.connections);
  if (count.handshakes_full + count.handshakes_resumed > 0) {
    text += fmt::format("; TLS handshakes {} full, {} resumed", count.handshakes_full,
                        count.handshakes_resumed);
  }
  const auto operations = std::max<std::uint64_t>(count.operations, 1);
  Duration cpu{};
  for (const Duration each : outcome.cpu_times) cpu += each;
  return text + fmt::format("\nCPU of the generator: {}, {} an operation\n", duration_text(cpu),
                            duration_text(cpu / static_cast<std::int64_t>(operations)));
}

std::string errors(const Recorder& total) {
  std::string text;
  for (const ErrorInfo& info : all_errors()) {
    if (total.errors(info.error) == 0) continue;
    text += fmt::format("  {:>9}  {}\n", total.errors(info.error), info.text);
  }
  if (total.count.unsent > 0) {
    text += fmt::format("  {:>9}  never tried: the queue was full\n", total.count.unsent);
  }
  for (const auto& [status, times] : total.statuses()) {
    if (status != 200) text += fmt::format("  {:>9}  answers with HTTP status {}\n", times, status);
  }
  for (const auto& [number, times] : total.errnos()) {
    text += fmt::format("  {:>9}  of these: {}\n", times, errno_text(number));
  }
  return text.empty() ? "no errors; every answer was whole\n" : "errors:\n" + text;
}

}  // namespace

std::string progress_line(const Progress& progress) {
  const Recorder& seen = *progress.interval;
  const Histogram& latency = seen.histogram(Measure::latency);
  return fmt::format("{:>7}  {:>8} ops/s  p50 {:>7}  p99 {:>7}  max {:>7}  {} errors\n",
                     duration_text(progress.offset + progress.length),
                     number_text(static_cast<double>(seen.count.operations) /
                                 std::max(seconds(progress.length), 1e-9)),
                     duration_text(latency.percentile(50)), duration_text(latency.percentile(99)),
                     duration_text(latency.max()), seen.errors());
}

std::string summary_text(const RunOptions& options, const Outcome& outcome,
                         const Verdict& verdict) {
  std::string text = head(options, outcome) + percentile_table(outcome.total) +
                     counts(options, outcome) + errors(outcome.total);
  for (const std::string& warning : verdict.warnings) text += fmt::format("WARN: {}\n", warning);
  for (const Finding& finding : verdict.findings) {
    text += fmt::format("{}  {}\n", finding.holds ? "holds " : "FAILED", finding.text);
  }
  return text;
}

}  // namespace penstock::load
