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
  visit("rate", it.rate);
  visit("threads", it.threads);
  visit("connections", it.connections);
  visit("depth", it.depth);
  visit("request_size", it.request_size);
  visit("answer_size", it.answer_size);
  visit("tls", it.tls);
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
  visit("operations", it.operations);
  visit("bytes_in", it.bytes_in);
  visit("bytes_out", it.bytes_out);
  visit("connections", it.connections);
  visit("connections_failed", it.connections_failed);
  visit("handshakes_full", it.handshakes_full);
  visit("handshakes_resumed", it.handshakes_resumed);
  visit("lost_bytes", it.lost_bytes);
  visit("corrupt_streams", it.corrupt_streams);
  visit("unsent", it.unsent);
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
void fields(V& visit, RunFacts& it) {
  visit("settings", it.settings);
  visit("duration_ns", it.duration);
  visit("warmup_ns", it.warmup);
  visit("asked_per_second", it.asked_per_second);
  visit("achieved_per_second", it.achieved_per_second);
  visit("in_flight_at_deadline", it.in_flight_at_deadline);
  visit("interrupted", it.interrupted);
  visit("exit_code", it.exit_code);
  visit("assertions", it.assertions);
  visit("health", it.health);
  visit("notes", it.notes);
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
