// Phrases, each in one place so that all outputs of a run say the same.
#include "report_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/result.h"
#include "penstock/load/command_line.h"
#include "penstock/load/rate_profile.h"
#include "penstock/load/units.h"
#include "tls_alert.h"

namespace penstock::load {

std::string percentile_name(double percent) { return fmt::format("p{}", percent); }

bool tells(const Distribution& distribution, double percent) noexcept {
  constexpr double rounding = 1e-6;
  return static_cast<double>(distribution.count) * (100 - percent) / 100 >= 1 - rounding;
}

std::string measure_title(Measure measure) {
  std::string title(all_measures()[static_cast<std::size_t>(measure)].name);
  std::ranges::replace(title, '_', ' ');
  return title;
}

std::string loop_text(const RunSettings& settings) {
  if (settings.loop == Loop::closed) return "CLOSED loop";
  if (settings.rate.empty()) return "no requests";
  std::string text = fmt::format("OPEN loop at {}, {} arrivals", settings.rate,
                                 settings.arrival == Arrival::uniform ? "uniform" : "Poisson");
  if (settings.burst > 1) text += fmt::format(" of {} at once", settings.burst);
  if (!settings.catch_up) text += ", without catching up";
  return text;
}

std::string shape_text(const RunSettings& settings) {
  std::string text = fmt::format("{}, depth {}, {}", counted(settings.connections, "connection"),
                                 settings.depth, counted(settings.threads, "thread"));
  if (settings.active > 0) {
    text += fmt::format(", beside them {} with requests", settings.active);
  }
  if (settings.request_size > 0) {
    text += fmt::format(", requests of {} B", settings.request_size);
  }
  if (settings.answer_size > 0) text += fmt::format(", answers of {} B", settings.answer_size);
  text += settings.tls.empty() ? ", plain" : fmt::format(", TLS {}", settings.tls);
  if (settings.resume_share > 0) text += fmt::format(", resume {}", settings.resume_share);
  return text + fmt::format(", seed {}", settings.seed);
}

std::string span_text(const RunFacts& facts) {
  if (facts.duration <= Duration::zero()) {
    if (facts.warmup <= Duration::zero()) return "nothing: it ended as it began";
    return fmt::format("nothing: it ended in the warm-up, after {}", duration_text(facts.warmup));
  }
  std::string text = duration_text(facts.duration);
  if (facts.warmup > Duration::zero()) {
    text += fmt::format(" after {} of warm-up", duration_text(facts.warmup));
  }
  if (facts.start > Duration::zero()) {
    text += fmt::format("; it began {} after the first load", duration_text(facts.start));
  }
  return text;
}

double per_second(std::uint64_t count, Duration span) noexcept {
  return span <= Duration::zero() ? 0 : static_cast<double>(count) / seconds(span);
}

std::string byte_rate_text(std::uint64_t bytes, Duration span) {
  return number_text(per_second(bytes, span)) + "B/s";
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string connections_text(const Counters& count) {
  std::string text = fmt::format("{} opened", count.connections);
  if (count.connections_failed > 0) {
    text += fmt::format("; {} attempts failed", count.connections_failed);
  }
  if (count.handshakes_full + count.handshakes_resumed > 0) {
    text += fmt::format("; TLS handshakes {} full, {} resumed", count.handshakes_full,
                        count.handshakes_resumed);
    if (count.sessions_offered > 0) {
      text += fmt::format(" of {} that asked for it", count.sessions_offered);
    }
    if (count.hello_retries > 0) {
      text += fmt::format(", {} with a HelloRetryRequest", count.hello_retries);
    }
  }
  return text;
}

std::string health_text(const RunFacts& facts) {
  std::string text;
  if (facts.settings.loop == Loop::open) {
    text = fmt::format("lag p99 {}; ", duration_text(facts.health.lag_p99));
  }
  text += "CPU of the workers";
  for (const double share : facts.health.worker_cpu_shares) {
    text += fmt::format(" {:.0f}%", 100 * share);
  }
  if (facts.health.worker_cpu_shares.empty()) text += " unknown";
  return text + (facts.health.unfit_reasons.empty() ? "; fit" : "; UNFIT");
}

std::vector<std::string> warnings_of(const RunFacts& facts) {
  std::vector<std::string> warnings;
  if (facts.interrupted) {
    std::string when = duration_text(facts.warmup + facts.duration);
    if (facts.planned > Duration::zero()) when += " of " + duration_text(facts.planned);
    warnings.push_back(fmt::format("interrupted after {}: these are partial results", when));
  }
  for (const std::string& reason : facts.health.unfit_reasons) {
    warnings.push_back("the generator was unfit: " + reason);
  }
  if (facts.settings.loop == Loop::closed) {
    warnings.emplace_back(
        "closed loop: while the target stalls nothing is asked of it, so its stalls hardly show in "
        "these latencies (coordinated omission); use --rate to see them");
  }
  if (!facts.settings.catch_up) {
    warnings.emplace_back(
        "no catching up: operations that could not begin in time were skipped, so a stall that "
        "kept them from it does not show in these latencies (coordinated omission)");
  }
  return warnings;
}

namespace {

std::string failure_text(const RunSummary& run) {
  switch (run.facts.exit_code) {
    case exit_wrong:
      return run.count.operations == 0 ? "FAILED: no operation went well"
                                       : "FAILED: bytes were lost or wrong";
    case exit_assertion:
      return "FAILED: an assertion does not hold";
    case exit_unfit:
      return "NO VERDICT: the generator was unfit";
    default:
      return fmt::format("FAILED with exit code {}", run.facts.exit_code);
  }
}

}  // namespace

std::string verdict_text(const RunSummary& run) {
  if (run.facts.interrupted && run.count.operations == 0) {
    return "INTERRUPTED: no operation had gone well";
  }
  if (run.facts.exit_code != exit_done) {
    return failure_text(run) + (run.facts.interrupted ? "; partial results" : "");
  }
  if (run.facts.interrupted) return "INTERRUPTED: partial results";
  if (run.error_count() == 0) return "OK";
  return fmt::format("OK but for {}", counted(run.error_count(), "error"));
}

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return result;
}

std::string entry(std::string_view name, std::string_view text) {
  constexpr std::size_t columns = 100;
  constexpr std::size_t label_width = 13;
  constexpr std::size_t room = columns - label_width;
  const std::string clean = printable(text);
  std::string rest = clean;
  std::string result;
  do {
    std::size_t end = rest.size();
    if (end > room) {
      const std::size_t blank = rest.rfind(' ', room);
      end = blank == std::string::npos || blank == 0 ? room : blank;
    }
    result += fmt::format("{:<{}}{}\n", name, label_width, rest.substr(0, end));
    rest.erase(0, end);
    rest.erase(0, std::min(rest.find_first_not_of(' '), rest.size()));
    name = "";
  } while (!rest.empty());
  return result;
}

std::vector<ErrorLine> error_lines(const RunSummary& run) {
  std::vector<ErrorLine> lines;
  for (const auto& [error, count] : run.errors) {
    lines.push_back({count, std::string(all_errors()[static_cast<std::size_t>(error)].text)});
  }
  if (run.count.unsent > 0) {
    lines.push_back({run.count.unsent, run.facts.settings.catch_up
                                           ? "never sent: the queue was full"
                                           : "never sent: skipped, no catching up"});
  }
  return lines;
}

std::vector<ErrorLine> error_details(const RunSummary& run) {
  std::vector<ErrorLine> lines;
  for (const auto& [number, count] : run.errnos) {
    lines.push_back({count, fmt::format("errno {}: {}", number, errno_text(number))});
  }
  for (const auto& [number, count] : run.alerts) {
    lines.push_back({count, fmt::format("TLS alert {}: {}", number, alert_name(number))});
  }
  for (const auto& [status, count] : run.statuses) {
    lines.push_back({count, fmt::format("HTTP status {}", status)});
  }
  return lines;
}

}  // namespace penstock::load
