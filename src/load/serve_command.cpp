// From text to ServeOptions, and what was seen as JSON.
#include "serve_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "manual.h"
#include "option_values.h"
#include "penstock/base/json.h"
#include "penstock/base/log.h"
#include "penstock/load/command_line.h"
#include "penstock/load/units.h"
#include "saying.h"

namespace penstock::load {
namespace {

constexpr const char* beside_examples =
    "\nTo `penstock-load run` with another --answer-size the echo answers in that size and checks\n"
    "the requests. Ctrl-C ends it and prints what it has seen, one JSON line.";

std::string text_of(const Served& seen, const Histogram& delays) {
  Json json;
#define PENSTOCK_X(name, text) json[#name] = seen.name;
  PENSTOCK_LOAD_SERVED(PENSTOCK_X)
#undef PENSTOCK_X
  if (delays.count() > 0) {
    Json& table = json["delays_ns"];
    for (const double percent : {50.0, 90.0, 99.0, 99.9}) {
      table[fmt::format("p{}", percent)] = delays.percentile(percent).count();
    }
  }
  return json.dump();
}

}  // namespace

void ServeCommand::add_to(CLI::App& command) {
  command_ = &command;
  command.footer(cli::examples_text(serve_examples()) + beside_examples);
  command.add_option("kind", kind_, "echo, sink, source, http, delay or chaos (echo)")
      ->option_text("KIND");
  command.add_option("--listen", listen_, "HOST:PORT or unix:PATH (127.0.0.1:7000)")
      ->option_text("ADDRESS");
  command.add_option("-t,--threads", threads_, "worker threads (1)")
      ->check(CLI::Range(1, 256))
      ->option_text("N");
  command.add_option("-c,--connections", connections_, "at once on each thread (4096)")
      ->check(CLI::Range(1, 1'000'000))
      ->option_text("N");
  command.add_option("--body-size", service_.body_size, "http: bytes of an answer's body (0)")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 40))
      ->option_text("N");
  command.add_option("--message-size", service_.message_size, "delay: bytes of a message (64)")
      ->check(CLI::Range(1U, largest_message))
      ->option_text("N");
  command.add_option("--delay", delay_, "delay: until an answer (5ms)")->option_text("TIME");
  command.add_option("--other", other_, "delay: of some answers")->option_text("TIME");
  command.add_option("--share", service_.delay.share, "delay: of those, from 0 to 1")
      ->check(CLI::Range(0.0, 1.0))
      ->option_text("X");
  command.add_flag("--exponential", exponential_, "delay: drawn, with the delay as the mean");
  command.add_option("--seed", service_.seed, "delay, chaos: of what is drawn (1)")
      ->option_text("N");
  command.add_option("--certificate", certificate_, "speak TLS: the chain (PEM)")
      ->option_text("FILE");
  command.add_option("--key", key_, "and its key (PEM)")->option_text("FILE");
}

Result<ServeOptions> ServeCommand::options() const {
  ServeOptions options{.listen = {}, .threads = threads_, .connections = connections_};
  options.service = service_;
  auto listen = Endpoint::parse(listen_);
  if (!listen) return fail(fmt::format("--listen {}: {}", listen_, listen.error().message));
  options.listen = *listen;
  auto& service = options.service;
  if (auto set = read_word("KIND", kind_, {"echo", "sink", "source", "http", "delay", "chaos"},
                           service.kind);
      !set) {
    return std::unexpected(set.error());
  }
  if (auto checked = check_use(service.kind); !checked) return std::unexpected(checked.error());
  if (auto set = read_duration("--delay", delay_, service.delay.usual); !set) {
    return std::unexpected(set.error());
  }
  if (exponential_) service.delay.kind = DelayOptions::Kind::exponential;
  if (!other_.empty()) {
    service.delay.kind = DelayOptions::Kind::two_point;
    if (auto set = read_duration("--other", other_, service.delay.other); !set) {
      return std::unexpected(set.error());
    }
  }
  if (certificate_.empty() != key_.empty()) {
    return fail("TLS needs both --certificate and --key");
  }
  if (certificate_.empty()) return options;
  auto identity = tls::Identity::load(certificate_, key_, log::wall_clock());
  if (!identity) return std::unexpected(identity.error().error);
  options.tls.certificates.push_back(std::move(*identity));
  return options;
}

Result<void> ServeCommand::check_use(ServiceKind kind) const {
  const bool delay = kind == ServiceKind::delay;
  const OptionUse uses[] = {{"--body-size", kind == ServiceKind::http, "http"},
                            {"--message-size", delay, "delay"},
                            {"--delay", delay, "delay"},
                            {"--other", delay && !exponential_, "delay that is not exponential"},
                            {"--share", delay && !other_.empty(), "delay with --other"},
                            {"--exponential", delay, "delay"},
                            {"--seed", delay || kind == ServiceKind::chaos, "delay and chaos"}};
  return load::check_use(*command_, uses);
}

int ServeCommand::run() const {
  auto options = this->options();
  if (!options) return failed(options.error(), exit_usage);
  auto signals = Signals::take();
  if (!signals) return failed(signals.error());
  Serving serving(*options);
  if (auto opened = serving.open(); !opened) return failed(opened.error());
  fmt::print(stderr, "serving on {}\n", serving.at().to_string());
  serving.wait(*signals);
  const Served seen = serving.served();
  fmt::print("{}\n", text_of(seen, serving.delays()));
  return seen.wrong_streams == 0 ? exit_done : exit_wrong;
}

}  // namespace penstock::load
