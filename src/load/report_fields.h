// The keys of a run's JSON: each struct is described once, and what writes JSON and what reads it
// both follow the description.
#pragma once

#include <concepts>
#include <string_view>

#include "penstock/load/run_result.h"

namespace penstock::load {

template <class V>
void fields(V& visit, RunSettings& it) {
  visit("mode", it.mode);
  visit("target", it.target);
  visit("loop", it.loop);
  visit("arrival", it.arrival);
  visit("burst", it.burst);
  visit("catch_up", it.catch_up);
  visit("rate", it.rate);
  visit("threads", it.threads);
  visit("connections", it.connections);
  visit("active", it.active);
  visit("depth", it.depth);
  visit("request_size", it.request_size);
  visit("answer_size", it.answer_size);
  visit("tls", it.tls);
  visit("resume_share", it.resume_share);
  visit("seed", it.seed);
  visit("command_line", it.command_line);
  visit("labels", it.labels);
  visit("host", it.host);
  visit("kernel", it.kernel);
  visit("cpus", it.cpus);
  visit("version", it.version);
  visit("started_at", it.started_at);
}

template <class V>
void fields(V& visit, NamedText& it) {
  visit("name", it.name);
  visit("text", it.text);
}

template <class V>
void fields(V& visit, Finding& it) {
  visit("text", it.text);
  visit("holds", it.holds);
}

template <class V>
void fields(V& visit, Health& it) {
  visit("lag_p99_ns", it.lag_p99);
  visit("worker_cpu_shares", it.worker_cpu_shares);
  visit("cpu_time_ns", it.cpu_time);
  visit("unfit_reasons", it.unfit_reasons);
}

template <class V>
void fields(V& visit, Counters& it) {
#define PENSTOCK_X(name, text) visit(#name, it.name);
  PENSTOCK_LOAD_COUNTERS(PENSTOCK_X)
#undef PENSTOCK_X
}

template <class V>
void fields(V& visit, Interval& it) {
  visit("offset_ns", it.offset);
  visit("length_ns", it.length);
  visit("count", it.count);
  visit("errors", it.errors);
  visit("waiting", it.waiting);
  visit("latency_p50_ns", it.latency_p50);
  visit("latency_p99_ns", it.latency_p99);
  visit("latency_max_ns", it.latency_max);
  visit("lag_p99_ns", it.lag_p99);
  visit("latency_up_to_ns", it.latency_buckets);
}

template <class V>
void fields(V& visit, Step& it) {
  visit("asked_per_second", it.asked_per_second);
  visit("achieved_per_second", it.achieved_per_second);
  visit("operations", it.operations);
  visit("errors", it.errors);
  visit("latency_p50_ns", it.latency_p50);
  visit("latency_p99_ns", it.latency_p99);
  visit("latency_max_ns", it.latency_max);
  visit("findings", it.findings);
}

template <class V>
void fields(V& visit, ProcessSample& it) {
  visit("process_id", it.process_id);
  visit("offset_ns", it.offset);
  visit("rss_bytes", it.rss_bytes);
  visit("pss_bytes", it.pss_bytes);
  visit("descriptors", it.descriptors);
  visit("cpu_time_ns", it.cpu_time);
  visit("voluntary_switches", it.voluntary_switches);
  visit("involuntary_switches", it.involuntary_switches);
  visit("tcp_bytes", it.tcp_bytes);
}

template <class V>
void fields(V& visit, StreamFacts& it) {
  visit("up", it.up);
  visit("whole", it.whole);
  visit("bytes", it.bytes);
  visit("lasted_ns", it.lasted);
  visit("retransmits", it.retransmits);
}

template <class V>
void fields(V& visit, Tally& it) {
  visit("name", it.name);
  visit("count", it.count);
}

template <class V>
void fields(V& visit, RunFacts& it) {
  visit("settings", it.settings);
  visit("start_ns", it.start);
  visit("duration_ns", it.duration);
  visit("warmup_ns", it.warmup);
  visit("planned_ns", it.planned);
  visit("asked_per_second", it.asked_per_second);
  visit("achieved_per_second", it.achieved_per_second);
  visit("in_flight_at_deadline", it.in_flight_at_deadline);
  visit("interrupted", it.interrupted);
  visit("exit_code", it.exit_code);
  visit("assertions", it.assertions);
  visit("health", it.health);
  visit("notes", it.notes);
  visit("watched", it.watched);
  visit("streams", it.streams);
  visit("tallies", it.tallies);
  visit("steps", it.steps);
  visit("intervals", it.intervals);
}

template <class V>
void fields(V& visit, Distribution& it) {
  visit("count", it.count);
  visit("min_ns", it.min);
  visit("max_ns", it.max);
  visit("mean_ns", it.mean);
  visit("stdev_ns", it.deviation);
  visit("percentiles_ns", it.table);
  visit("spectrum_ns", it.spectrum);
  visit("hdr_histogram", it.encoded);
}

template <class T>
concept Described = requires(int& visit, T& it) { fields(visit, it); };

inline constexpr std::string_view loops[] = {"open", "closed"};
inline constexpr std::string_view arrivals[] = {"uniform", "poisson"};

}  // namespace penstock::load
