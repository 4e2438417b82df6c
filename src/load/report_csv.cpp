// All cells are numbers: nothing has to be quoted.
#include "penstock/load/report_csv.h"

#include <fmt/format.h>

#include <cstdint>

namespace penstock::load {
namespace {

std::string decimal(Duration duration, std::int64_t unit, int digits) {
  const std::int64_t ns = duration.count();
  return fmt::format("{}.{:0{}}", ns / unit, ns % unit, digits);
}
std::string in_s(Duration duration) { return decimal(duration, 1'000'000'000, 9); }
std::string in_us(Duration duration) { return decimal(duration, 1'000, 3); }

}  // namespace

std::string csv_report(const RunSummary& run) {
  std::string text =
      "offset_s,length_s,operations,errors,waiting,unsent,bytes_in,bytes_out,connections,"
      "handshakes_full,handshakes_resumed,lost_bytes,corrupt_streams,latency_p50_us,"
      "latency_p99_us,latency_max_us,lag_p99_us,interrupted\r\n";
  for (const Interval& interval : run.facts.intervals) {
    const Counters& count = interval.count;
    text += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", in_s(interval.offset),
        in_s(interval.length), count.operations, interval.errors, interval.waiting, count.unsent,
        count.bytes_in, count.bytes_out, count.connections, count.handshakes_full,
        count.handshakes_resumed, count.lost_bytes, count.corrupt_streams,
        in_us(interval.latency_p50), in_us(interval.latency_p99), in_us(interval.latency_max),
        in_us(interval.lag_p99), run.facts.interrupted ? 1 : 0);
  }
  return text;
}

}  // namespace penstock::load
