// Bulk against iperf3, which brings its own server: a stream upwards, with each tool's own server.
// Ours checks every byte on both sides, iperf3 none.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "penstock/base/json.h"
#include "penstock/net/socket.h"
#include "selftest_checks.h"
#include "selftest_peers.h"

namespace penstock::load {
namespace {

/// Bits a second.
Result<double> measure_iperf3(Bench& bench, const std::string& program, const PeerCpus& cpus,
                              std::chrono::seconds length) {
  // iperf3 takes no port from the kernel, so the kernel is asked for one that is free beforehand.
  auto free = open_listener(any_loopback_port(), {});
  if (!free) return std::unexpected(free.error());
  const auto at = local_endpoint(free->get());
  if (!at) return std::unexpected(at.error());
  const std::string port = fmt::format("{}", at->port());
  free->reset();
  auto server = Child::start({program, "-s", "-1", "-B", "127.0.0.1", "-p", port, "--forceflush"},
                             cpus.server);
  if (!server) return std::unexpected(server.error());
  for (std::string line; line.find("listening") == std::string::npos;) {
    auto next = server->read_line(bench, bench.now() + peer_patience);
    if (!next) return fail("iperf3 -s: " + next.error().message);
    line = std::move(*next);
  }
  auto client = Child::start(
      {program, "-c", "127.0.0.1", "-p", port, "-J", "-t", fmt::format("{}", length.count())},
      cpus.client);
  if (!client) return std::unexpected(client.error());
  const auto text = client->read_all(bench, bench.now() + length + peer_patience);
  if (!text) return fail("iperf3: " + text.error().message);
  const auto rate = bits_a_second_of_iperf3(*text);
  if (!rate) return fail("iperf3 said no rate: " + *text);
  return *rate;
}

Result<double> measure_ours(Bench& bench, const PeerCpus& cpus, std::chrono::seconds length,
                            std::uint64_t& errors) {
  ServeOptions serve;
  serve.listen = any_loopback_port();
  RunOptions ours;
  ours.mode = Mode::bulk;
  ours.connections = 1;
  ours.cpus = {cpus.client};
  ours.duration = length;
  Serving serving(serve);
  {
    const Confined here(cpus.server);
    if (auto opened = serving.open(); !opened) return std::unexpected(opened.error());
  }
  ours.targets = {serving.at()};
  const auto run = bench.run(ours);
  if (!run) return std::unexpected(run.error());
  errors += run->total.errors() + run->total.count.corrupt_streams;
  double bits = 0;
  for (const StreamFacts& stream : run->facts.streams) {
    bits += 8 * static_cast<double>(stream.bytes) / seconds(stream.lasted);
  }
  return bits;
}

}  // namespace

std::optional<double> bits_a_second_of_iperf3(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const Json::json_pointer place("/end/sum_received/bits_per_second");
  if (json.is_discarded() || !json.contains(place) || !json[place].is_number()) return std::nullopt;
  return json[place].get<double>();
}

Result<void> check_against_iperf3(Bench& bench, const PeerCpus& cpus, Findings& to) {
  const std::string program = find_program("iperf3");
  if (program.empty()) {
    to.skipped.emplace_back("bulk, iperf3: iperf3 is not installed");
    return {};
  }
  double theirs = 0;
  double ours = 0;
  std::uint64_t errors = 0;
  for (int i = 0; i < peer_rounds && !bench.interrupted(); ++i) {
    const auto length = peer_round(bench);
    const auto their_rate = measure_iperf3(bench, program, cpus, length);
    if (!their_rate) return std::unexpected(their_rate.error());
    const auto our_rate = measure_ours(bench, cpus, length, errors);
    if (!our_rate) return std::unexpected(our_rate.error());
    theirs = std::max(theirs, *their_rate);
    ours = std::max(ours, *our_rate);
  }
  if (bench.interrupted()) return {};
  to.figures.push_back(equal("bulk, iperf3: our errors", std::uint64_t{0}, errors));
  to.figures.push_back(not_slower("bulk, iperf3: bits a second", theirs, ours, least_peer_share));
  return {};
}

}  // namespace penstock::load
