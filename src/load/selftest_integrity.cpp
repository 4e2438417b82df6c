// Check 8: a server flips one bit of what it echoes, at a place that is drawn; the client has to
// find it, there and nowhere else.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "responder_chaos.h"
#include "selftest_checks.h"

namespace penstock::load {
namespace {

constexpr std::size_t size = 65536;
constexpr std::uint64_t bytes_a_second = 200'000'000;
constexpr std::uint64_t most_bytes = 1'000'000'000;

/// One connection, so that it is known which stream goes where.
RunOptions echo_of(std::uint64_t bytes) {
  RunOptions run = closed_loop(bytes / size);
  run.connections = 1;
  run.request_size = size;
  run.answer_size = size;
  return run;
}

/// A stream ends with the operation that has the wrong bit, the next one begins with the next
/// operation and has a wrong bit of its own; so many are met with.
std::uint64_t flips_within(const ServiceOptions& service, std::uint64_t operations) {
  std::uint64_t flips = 0;
  for (;;) {
    const std::uint64_t needed = (draw_chaos(service, flips).bytes / size) + 1;
    if (needed > operations) return flips;
    operations -= needed;
    ++flips;
  }
}

}  // namespace

Result<void> check_integrity(Bench& bench, Findings& to) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(bench.duration()).count();
  const std::uint64_t bytes =
      std::min(most_bytes, bytes_a_second * static_cast<std::uint64_t>(ms) / 1000);
  to.figures.push_back(told("bytes each way", fmt::format("{}", bytes / size * size)));
  RunOptions run = echo_of(bytes);
  auto met = meet(bench, {}, run);
  if (!met || bench.interrupted()) return met ? Result<void>{} : std::unexpected(met.error());
  const Recorder& clean = met->client.total;
  to.figures.push_back(equal("clean: operations", bytes / size, clean.count.operations));
  to.figures.push_back(equal("clean: bytes received", bytes / size * size, clean.count.bytes_in));
  to.figures.push_back(equal("clean: errors", std::uint64_t{0}, clean.errors()));
  to.figures.push_back(
      equal("clean: corrupt streams", std::uint64_t{0}, clean.count.corrupt_streams));

  ServeOptions serve;
  serve.service = {.kind = ServiceKind::chaos, .chaos = {Chaos::flip}, .chaos_bytes = bytes / 2};
  const std::uint64_t flips = flips_within(serve.service, bytes / size);
  const std::uint64_t place = draw_chaos(serve.service, 0).bytes;
  met = meet(bench, std::move(serve), run);
  if (!met || bench.interrupted()) return met ? Result<void>{} : std::unexpected(met.error());
  const Recorder& flipped = met->client.total;
  to.figures.push_back(
      equal("one bit a stream: corrupt streams", flips, flipped.count.corrupt_streams));
  to.figures.push_back(
      equal("one bit a stream: errors of that kind", flips, flipped.errors(ErrorClass::corrupt)));
  to.figures.push_back(equal("one bit a stream: errors of others", std::uint64_t{0},
                             flipped.errors() - flipped.errors(ErrorClass::corrupt)));
  const auto reason = flipped.reasons().find(ErrorClass::corrupt);
  const std::string why = reason == flipped.reasons().end() ? "" : reason->second;
  const std::string found = fmt::format("from byte {} ", place);
  to.figures.push_back(same("one bit a stream: the first one's place", fmt::format("{}", place),
                            why.contains(found) ? fmt::format("{}", place) : why));
  return {};
}

}  // namespace penstock::load
