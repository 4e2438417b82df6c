// From text to RunOptions; every value is checked before anything is opened.
#include "run_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "option_values.h"
#include "penstock/base/log.h"
#include "penstock/load/units.h"

namespace penstock::load {
namespace {

constexpr std::uint64_t largest_request = std::uint64_t{1} << 30;
constexpr std::uint32_t most_depth = 4096;
constexpr std::uint32_t most_connections = 1'000'000;
constexpr std::uint32_t usual_connections = 64;
constexpr double usual_dials_of_hold = 1000;  // a second
constexpr double usual_dials_of_chaos = 200;

}  // namespace

void RunCommand::add_to(CLI::App& command) {
  command_ = &command;
  command
      .add_option("target", targets_,
                  "HOST:PORT, http://HOST[:PORT]/PATH, https://…, unix:PATH; of several, each "
                  "connection takes the next")
      ->option_text("TARGET...");
  command
      .add_option(
          "--mode", mode_,
          "rr: requests and answers; conn: a connection each; tls: handshakes; http; "
          "bulk: streams; hold: idle connections; chaos: hostile clients; mix: --scenario (rr)")
      ->option_text("MODE");
  add_shape(command);
  command.add_option("-c,--connections", connections_, "connections at once (64; bulk: 1)")
      ->check(CLI::Range(1U, most_connections))
      ->option_text("N");
  command.add_option("-t,--threads", threads_, "worker threads (1)")->option_text("N");
  command.add_option("--cpus", cpus_, "pin the workers to these CPUs, in turn")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::NonNegativeNumber)
      ->option_text("LIST");
  command.add_option("--depth", depth_, "requests on a connection at once (1)")->option_text("N");
  add_more(command);
  add_connections(command);
  add_crowd(command);
  add_tls(command);
}

void RunCommand::add_more(CLI::App& command) {
  command.add_option("--size", size_, "bytes of a request (64)")->option_text("N");
  command
      .add_option("--answer-size", answer_size_,
                  "bytes of an answer, where it is no echo; needs penstock-load serve")
      ->option_text("N");
  command.add_flag("--no-verify", no_verify_, "do not compare the answers' bytes");
  command.add_option("--timeout", timeout_, "for an answer (10s)")->option_text("TIME");
  command.add_option("--connect-timeout", connect_timeout_, "connect and handshake (5s)")
      ->option_text("TIME");
  command.add_option("--close", close_, "mode conn and tls: fin or rst (fin)")->option_text("HOW");
  command.add_option("--max-backlog", backlog_, "operations that may wait (1000000)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  command.add_option("--seed", seed_, "of arrivals and payload (1)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  command.add_option("--interval", interval_, "between two lines of progress (1s)")
      ->option_text("TIME");
  command.add_option("--method", method_, "http: the request's method (GET)")->option_text("M");
  command.add_option("-H,--header", headers_, "http: a header line more, several times")
      ->allow_extra_args(false)
      ->option_text("LINE");
  command.add_option("--body", body_, "http: the request's body")->option_text("TEXT");
  command.add_option("--assert", assert_, "conditions to meet, 'p99<2ms,err==0'; else exit 3")
      ->option_text("LIST");
  command
      .add_option("--slo", slo_, "with --rate max: what the rate has to meet, 'p99<5ms,err<0.1%'")
      ->option_text("LIST");
  command.add_option("--start-rate", start_rate_, "with --rate max: where the search begins (1k)")
      ->option_text("N");
  command.add_option("--label", labels_, "NAME=TEXT for the outputs, several times")
      ->allow_extra_args(false)
      ->option_text("LABEL");
  command.add_flag("--no-live", no_live_, "a line an interval on a terminal, too");
  command.add_option("--json", files_.json, "write everything to a file, for `report`")
      ->option_text("FILE");
  command.add_option("--csv", files_.csv, "write the intervals to a file")->option_text("FILE");
  command.add_option("--html", files_.html, "write a page with charts to a file")
      ->option_text("FILE");
  command
      .add_option("--prom", metrics_at_,
                  "answer /metrics to Prometheus during the run, as of the last interval")
      ->option_text("[ADDRESS:]PORT");
  command.add_option("--hgrm", files_.hgrm, "write the latency's percentiles to a file")
      ->option_text("FILE");
}

void RunCommand::add_crowd(CLI::App& command) {
  command.add_option("--direction", direction_, "bulk: up, down or both (up)")->option_text("WAY");
  command
      .add_option("--chaos", chaos_, fmt::format("chaos: {} (all)", fmt::join(chaos_kinds, ", ")))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("LIST");
  command
      .add_option("--active", active_,
                  "bulk, hold, chaos: connections with requests beside them (1)")
      ->option_text("N");
  command
      .add_option("--dials", dials_,
                  "bulk, hold, chaos: connections to open a second (hold: 1000, chaos: 200)")
      ->option_text("N");
  command.add_option("--watch-pid", watched_, "tell what these processes hold and use")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("PID");
}

Result<RunOptions> RunCommand::options() const {
  RunOptions options;
  options.files = files_;
  options.live = !no_live_;
  if (!metrics_at_.empty()) {
    const bool alone = metrics_at_.find(':') == std::string::npos;
    auto at = Endpoint::parse(alone ? "127.0.0.1:" + metrics_at_ : metrics_at_);
    if (!at || !at->is_ip()) {
      return fail(fmt::format("--prom {}: expected a port, or an address and a port", metrics_at_));
    }
    options.metrics_at = *at;
  }
  for (const std::string& label : labels_) {
    const std::size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(fmt::format("--label {}: expected NAME=TEXT", label));
    }
    options.labels.push_back({label.substr(0, equals), label.substr(equals + 1)});
  }
  for (const auto step : {&RunCommand::set_target, &RunCommand::set_shape, &RunCommand::set_limits,
                          &RunCommand::set_crowd, &RunCommand::set_connections,
                          &RunCommand::set_tls, &RunCommand::check_use}) {
    if (auto set = (this->*step)(options); !set) return std::unexpected(set.error());
  }
  return options;
}

Result<void> RunCommand::set_limits(RunOptions& options) const {
  const std::uint32_t usual = options.mode == Mode::bulk ? 1 : usual_connections;
  options.connections = connections_ == 0 ? std::max(usual, threads_) : connections_;
  if (threads_ < 1 || threads_ > options.connections)
    return fail(fmt::format("--threads {}: expected 1 to the number of connections", threads_));
  if (depth_ < 1 || depth_ > most_depth)
    return fail(fmt::format("--depth {}: expected 1 to {}", depth_, most_depth));
  const std::uint64_t answer_size = answer_size_ == 0 ? size_ : answer_size_;
  if (size_ < 1 || size_ > largest_request || answer_size > largest_request)
    return fail(fmt::format("--size and --answer-size: expected 1 to {}", largest_request));
  options.threads = threads_;
  options.cpus = cpus_;
  options.depth = depth_;
  options.request_size = size_;
  options.answer_size = answer_size;
  options.verify = !no_verify_;
  options.most_waiting = backlog_;
  options.seed = seed_;
  if (auto set = read_positive_duration("--timeout", timeout_, options.timeout); !set) return set;
  if (auto set =
          read_positive_duration("--connect-timeout", connect_timeout_, options.connect_timeout);
      !set) {
    return set;
  }
  if (auto set = read_positive_duration("--interval", interval_, options.interval); !set)
    return set;
  if (auto set = read_word("--close", close_, {"fin", "rst"}, options.ending); !set) return set;
  const std::string& text = options.search ? slo_ : assert_;
  if (options.search && text.empty()) {
    return fail("--rate max searches for the highest rate that meets --slo: say what to meet");
  }
  if (text.empty()) return {};
  auto conditions = parse_conditions(text);
  if (!conditions) {
    const char* option = options.search ? "--slo" : "--assert";
    return fail(fmt::format("{}: {}", option, conditions.error().message));
  }
  options.conditions = std::move(*conditions);
  return {};
}

Result<void> RunCommand::set_crowd(RunOptions& options) const {
  options.watched = watched_;
  if (!has_crowd(options.mode)) return {};
  options.active = active_;
  if (active_ > most_connections) {
    return fail(fmt::format("--active {}: expected at most {}", active_, most_connections));
  }
  if (options.mode == Mode::hold) options.dials_per_second = usual_dials_of_hold;
  if (options.mode == Mode::chaos) options.dials_per_second = usual_dials_of_chaos;
  if (!dials_.empty()) {
    auto dials = parse_rate(dials_);
    if (!dials) return fail(fmt::format("--dials: {}", dials.error().message));
    options.dials_per_second = *dials;
  }
  if (auto set = read_word("--direction", direction_, {"up", "down", "both"}, options.direction);
      !set) {
    return set;
  }
  if (options.direction == Direction::both && options.connections < 2) {
    return fail("--direction both needs two streams: say -c 2");
  }
  for (const std::string& name : chaos_) {
    ChaosKind kind{};
    if (auto set = read_word("--chaos", name, chaos_kinds, kind); !set) return set;
    options.chaos.push_back(kind);
  }
  if (chaos_.empty()) {
    for (std::size_t i = 0; i < std::size(chaos_kinds); ++i) {
      options.chaos.push_back(static_cast<ChaosKind>(i));
    }
  }
  if (options.mode == Mode::chaos && options.connections < options.chaos.size()) {
    return fail(fmt::format("-c {}: there are {} kinds of clients, each needs one",
                            options.connections, options.chaos.size()));
  }
  return {};
}

Result<void> RunCommand::check_use(RunOptions& options) const {
  const bool http = !options.http_request.empty();
  const bool each = options.mode == Mode::conn || options.mode == Mode::tls;
  const bool sized = !http && options.mode != Mode::tls;
  const bool crowd = has_crowd(options.mode);
  const OptionUse uses[] = {
      {"--duration", ramp_.empty() && steps_.empty(), "a load without --ramp or --steps"},
      {"--slo", options.search, "--rate max"},
      {"--start-rate", options.search, "--rate max"},
      {"--assert", !options.search, "a load without --rate max (--slo)"},
      {"--arrival", !closed_, "the open loop"},
      {"--burst", !options.profile.empty(), "the open loop"},
      {"--no-catchup", !options.profile.empty(), "the open loop"},
      {"--max-backlog", !closed_ && options.catch_up, "the open loop without --no-catchup"},
      {"--depth", !each, "modes rr and http"},
      {"--keepalive-requests", options.mode == Mode::rr || options.mode == Mode::http,
       "modes rr and http"},
      {"--port-range", !options.targets.front().is_unix(), "targets with a port"},
      {"--close", each, "modes conn and tls"},
      {"--count", !crowd && !options.search, "modes rr, conn, tls and http, without --rate max"},
      {"--direction", options.mode == Mode::bulk, "mode bulk"},
      {"--chaos", options.mode == Mode::chaos, "mode chaos"},
      {"--active", crowd, "modes bulk, hold and chaos"},
      {"--dials", crowd, "modes bulk, hold and chaos"},
      {"--size", sized, "modes rr and conn without a URL"},
      {"--answer-size", sized, "modes rr and conn without a URL"},
      {"--no-verify", sized, "modes rr, bulk, and conn without a URL"},
      {"--method", http, "mode http, or conn with a URL"},
      {"--header", http, "mode http, or conn with a URL"},
      {"--body", http, "mode http, or conn with a URL"},
      {"--ca", options.secure, "TLS (--tls)"},
      {"--sni", options.secure, "TLS (--tls)"},
      {"--tls-version", options.secure, "TLS (--tls)"},
      {"--groups", options.secure, "TLS (--tls)"},
      {"--ciphers", options.secure, "TLS (--tls)"},
      {"--sigalgs", options.secure, "TLS (--tls)"},
      {"--certificate", options.secure, "TLS (--tls)"},
      {"--key", options.secure, "TLS (--tls)"},
      {"--resume", options.secure, "TLS (--tls)"}};
  return load::check_use(*command_, uses);
}

}  // namespace penstock::load
