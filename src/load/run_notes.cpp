// Lines for bulk, hold, chaos and TLS.
#include "run_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "penstock/load/rate_profile.h"
#include "penstock/load/units.h"
#include "process_watch.h"
#include "report_parts.h"
#include "run_options.h"

namespace penstock::load {
namespace {

constexpr double busy = 0.9;

std::string bit_rate_text(std::uint64_t bytes, Duration span) {
  const double bits = 8 * static_cast<double>(bytes) / std::max(seconds(span), 1e-9);
  if (bits < 1e9) return fmt::format("{:.1f} Mbit/s", bits / 1e6);
  return fmt::format("{:.2f} Gbit/s", bits / 1e9);
}

/// The streams of one direction.
void describe_streams(std::vector<NamedText>& notes, const RunFacts& facts, bool up,
                      std::uint64_t window_bytes) {
  std::vector<const StreamFacts*> streams;
  for (const StreamFacts& stream : facts.streams) {
    if (stream.up == up && stream.lasted > Duration::zero()) streams.push_back(&stream);
  }
  if (streams.empty()) return;
  std::uint64_t whole = 0;
  std::uint64_t retransmits = 0;
  for (const StreamFacts* stream : streams) {
    whole += stream->whole ? 1 : 0;
    retransmits += stream->retransmits;
  }
  const auto rate = [](const StreamFacts* stream) {
    return static_cast<double>(stream->bytes) / seconds(stream->lasted);
  };
  const auto [slowest, fastest] = std::ranges::minmax_element(streams, {}, rate);
  std::string text = fmt::format(
      "{} by {}, each {} to {}; {} whole", bit_rate_text(window_bytes, facts.duration),
      counted(streams.size(), "stream"), bit_rate_text((*slowest)->bytes, (*slowest)->lasted),
      bit_rate_text((*fastest)->bytes, (*fastest)->lasted), whole);
  // The sender's TCP is what sends again.
  if (up) text += fmt::format("; {} sent again", counted(retransmits, "segment"));
  notes.push_back({up ? "up" : "down", text});
}

void describe_bulk(std::vector<NamedText>& notes, const RunFacts& facts, const Counters& window) {
  describe_streams(notes, facts, true, window.bytes_out);
  describe_streams(notes, facts, false, window.bytes_in);
  const auto& shares = facts.health.worker_cpu_shares;
  for (std::size_t i = 0; i < std::min<std::size_t>(shares.size(), facts.settings.threads); ++i) {
    if (shares[i] < busy) continue;
    notes.push_back({"limit", fmt::format("worker {} was busy {:.0f} % of the time: it may be what "
                                          "limits the rate; try more threads",
                                          i, 100 * shares[i])});
  }
}

}  // namespace

std::vector<NamedText> notes_of(const RunFacts& facts, const Counters& window,
                                const Counters& total) {
  std::vector<NamedText> notes;
  const RunSettings& settings = facts.settings;
  const bool hold = settings.mode == name_of(Mode::hold);
  if (settings.mode == name_of(Mode::bulk)) describe_bulk(notes, facts, window);
  if (hold) {
    notes.push_back({"held", fmt::format("{} of {} idle connections until the end", total.streams,
                                         settings.connections)});
  }
  if (settings.resume_share > 0 && total.sessions_offered == 0) {
    notes.push_back({"resume",
                     "the target has given no session that could be resumed, or the "
                     "connections were closed before it came (--close rst)"});
  }
  for (const Tally& tally : facts.tallies) {
    const bool first = &tally == facts.tallies.data();
    notes.push_back(
        {first ? settings.mode : "", fmt::format("{:>9}  {}", tally.count, tally.name)});
  }
  std::ranges::move(describe_watched(facts.watched, hold ? settings.connections : 0),
                    std::back_inserter(notes));
  return notes;
}

}  // namespace penstock::load
