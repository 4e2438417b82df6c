// RunResult: a run and what it measured, as the coordinator hands it over when everything has
// ended; and RunSummary, what every output (report_*.h) is made from and JSON brings back.
// Values, without a clock or a file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "penstock/load/arrivals.h"
#include "penstock/load/assertion.h"
#include "penstock/load/recorder.h"
#include "penstock/time/instant.h"

namespace penstock::load {

enum class Loop : std::uint8_t { open, closed };

struct NamedText {
  std::string name;
  std::string text;

  friend bool operator==(const NamedText&, const NamedText&) = default;
};

/// What the run was told to do, and where it did it.
struct RunSettings {
  std::string mode;    ///< as on the command line: "rr"
  std::string target;  ///< likewise
  Loop loop = Loop::open;
  Arrival arrival = Arrival::uniform;  ///< open loop, as the next two
  std::uint32_t burst = 1;             ///< operations at each arrival
  bool catch_up = true;                ///< what could not begin in time begins later
  std::string rate;                    ///< the profile as it was asked for: "5k", "1k:10k:30s"
  std::uint32_t threads = 1;
  std::uint64_t connections = 1;  ///< at once
  std::uint32_t active = 0;       ///< with requests, beside those
  std::uint32_t depth = 1;
  std::uint64_t request_size = 0;  ///< bytes; 0 where the mode has none
  std::uint64_t answer_size = 0;
  std::string tls;          ///< "1.3"; empty: plain
  double resume_share = 0;  ///< of the TLS connections that were to resume a session
  std::uint64_t seed = 0;
  std::string command_line;
  std::vector<NamedText> labels;  ///< --label name=text

  std::string host;
  std::string kernel;  ///< its release
  std::uint32_t cpus = 0;
  std::string version;     ///< penstock's
  std::string started_at;  ///< wall clock, "2025-03-01T12:00:00Z"
};

/// Whether the generator was quick enough to judge the target.
struct Health {
  Duration lag_p99{};                      ///< zero in a closed loop
  std::vector<double> worker_cpu_shares;   ///< by worker, 1 is a whole CPU
  Duration cpu_time{};                     ///< of all workers, warm-up included
  std::vector<std::string> unfit_reasons;  ///< clauses, "worker 2 used 97% of its CPU"; none: fit
};

/// Latencies up to `up_to` and above the bucket before it. There are two buckets to each doubling:
/// their last values are 2^k - 1 and 3 * 2^k - 1 ns.
struct LatencyBucket {
  Duration up_to{};
  std::uint64_t count = 0;

  friend bool operator==(const LatencyBucket&, const LatencyBucket&) = default;
};

/// An interval of the time series. Small, as a long run has many.
struct Interval {
  Duration offset{};  ///< of its start, from the start of the run, warm-up included
  Duration length{};
  Counters count;
  std::uint64_t errors = 0;
  std::uint64_t waiting = 0;  ///< operations that had not begun at its end though it was time
  Duration latency_p50{};     ///< zero where nothing was measured
  Duration latency_p99{};
  Duration latency_max{};
  Duration lag_p99{};
  std::vector<LatencyBucket> latency_buckets{};  ///< ascending, without the empty ones
};

/// One step of --steps, or one attempt of the search for the highest rate.
struct Step {
  double asked_per_second = 0;
  double achieved_per_second = 0;
  std::uint64_t operations = 0;
  std::uint64_t errors = 0;
  Duration latency_p50{};
  Duration latency_p99{};
  Duration latency_max{};
  std::vector<Finding> findings;  ///< of --slo

  [[nodiscard]] bool holds() const noexcept {
    return std::ranges::all_of(findings, &Finding::holds);
  }
};

/// What a watched process held and had used at a time.
struct ProcessSample {
  std::uint32_t process_id = 0;
  Duration offset{};  ///< from the start of the load; the first is from before it
  std::uint64_t rss_bytes = 0;
  std::uint64_t pss_bytes = 0;  ///< 0: not to be had
  std::uint64_t descriptors = 0;
  Duration cpu_time{};
  std::uint64_t voluntary_switches = 0;
  std::uint64_t involuntary_switches = 0;
  std::uint64_t tcp_bytes = 0;  ///< of all sockets of the machine
};

struct Tally {
  std::string name;
  std::uint64_t count = 0;
};

/// What both of RunResult and RunSummary say.
struct RunFacts {
  RunSettings settings;
  Duration start{};             ///< of several at once: after the first had begun; zero: alone
  Duration duration{};          ///< measured time: without the warm-up; zero: it did not come to it
  Duration warmup{};            ///< before
  Duration planned{};           ///< of both, as asked for; zero where operations are counted
  double asked_per_second = 0;  ///< mean over `duration`; zero in a closed loop
  double achieved_per_second = 0;  ///< operations that went well
  std::uint64_t in_flight_at_deadline = 0;
  Health health;
  std::vector<Interval> intervals;       ///< in order
  std::vector<Step> steps;               ///< in order; none but for --steps and a search
  std::vector<Finding> assertions;       ///< of --assert
  std::vector<ProcessSample> watched{};  ///< in order
  std::vector<StreamFacts> streams{};    ///< of bulk data
  std::vector<Tally> tallies{};          ///< the mode's own counts
  std::vector<NamedText> notes;          ///< the mode's own: {"retransmits", "12"}
  bool interrupted = false;
  int exit_code = 0;
};

struct RunResult {
  RunFacts facts;
  Recorder total;  ///< without the warm-up
};

struct Percentile {
  double percent = 0;
  Duration value{};

  friend bool operator==(const Percentile&, const Percentile&) = default;
};

/// What is left of a histogram.
struct Distribution {
  Measure measure = Measure::latency;
  std::uint64_t count = 0;  ///< above 0
  Duration min{};
  Duration max{};
  Duration mean{};
  Duration deviation{};
  std::vector<Percentile> table;     ///< those of report_percentiles, in order
  std::vector<Percentile> spectrum;  ///< ascending, for a curve; its last is 100
  std::string encoded;               ///< hgrm.h; empty when it could not be made

  friend bool operator==(const Distribution&, const Distribution&) = default;
};

inline constexpr double report_percentiles[] = {50, 75, 90, 95, 99, 99.9, 99.99, 99.999};

struct RunSummary {
  RunFacts facts;
  Counters count;
  std::map<ErrorClass, std::uint64_t> errors;  ///< of those that happened
  std::map<int, std::uint64_t> errnos;
  std::map<int, std::uint64_t> statuses;      ///< of HTTP
  std::map<int, std::uint64_t> alerts;        ///< of TLS, the peer's
  std::vector<Distribution> distributions{};  ///< of what was measured, in the order of Measure

  [[nodiscard]] std::uint64_t error_count() const noexcept;
  /// Null when nothing was measured of it.
  [[nodiscard]] const Distribution* find(Measure measure) const noexcept;
};

struct IntervalOptions {
  Duration offset{};
  Duration length{};
  std::uint64_t waiting = 0;
};
/// `measured`: by all workers together, in that interval.
[[nodiscard]] Interval summarize(const Recorder& measured, const IntervalOptions& options);
[[nodiscard]] RunSummary summarize(const RunResult& result);

}  // namespace penstock::load
