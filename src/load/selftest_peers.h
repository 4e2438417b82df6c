// Other load tools: what they say of their runs (pure; each is read as the version of Debian 12
// writes it), and how ours is measured beside them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "selftest_bench.h"

namespace penstock::load {

/// wrk 4: its "Requests/sec:" line. nullopt: there is none.
[[nodiscard]] std::optional<double> requests_a_second_of_wrk(std::string_view text) noexcept;
/// `openssl s_time -new`: how many connections it made. nullopt: it does not say.
[[nodiscard]] std::optional<double> connections_of_s_time(std::string_view text) noexcept;
/// `iperf3 -J`: bits that arrived, a second. nullopt: it does not say.
[[nodiscard]] std::optional<double> bits_a_second_of_iperf3(std::string_view text);

/// How both are measured: in turn, and the best that each can do counts, since what else the
/// machine has to do changes from one second to the next.
inline constexpr int peer_rounds = 2;
[[nodiscard]] std::chrono::seconds peer_round(const Bench& bench);
/// Ours may be so much slower.
inline constexpr double least_peer_share = 0.9;
/// For a tool to come to its end.
inline constexpr Duration peer_patience = 20s;

/// One side each.
struct PeerCpus {
  int server;
  int client;
};
/// The part of check 6 that is about bulk data.
[[nodiscard]] Result<void> check_against_iperf3(Bench& bench, const PeerCpus& cpus, Findings& to);

}  // namespace penstock::load
