// The options of `penstock-load run` that are about its connections: where to, from where, for how
// long, with which socket options.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <utility>

#include "option_values.h"
#include "run_command.h"
#include "target.h"

namespace penstock::load {
namespace {

constexpr int largest_buffer = 1 << 30;

/// "A:B", two numbers from 1 to `most`, the first not above the second; or one number for both.
template <class T>
Result<std::pair<T, T>> read_range(std::string_view option, std::string_view text, T most) {
  const auto number = [most](const std::string& digits) -> T {
    T value = 0;
    const char* end = digits.data() + digits.size();
    const auto [read_to, error] = std::from_chars(digits.data(), end, value);
    return error == std::errc{} && read_to == end && value <= most ? value : T{0};
  };
  const std::size_t colon = text.find(':');
  const T first = number(std::string(text.substr(0, colon)));
  const T last =
      colon == std::string_view::npos ? first : number(std::string(text.substr(colon + 1)));
  if (first > 0 && last >= first) return std::pair(first, last);
  return fail(
      fmt::format("{} {}: expected two numbers from 1 to {} such as 10:20, the smaller first",
                  option, text, most));
}

}  // namespace

void RunCommand::add_connections(CLI::App& command) {
  command.add_option("--source", sources_, "addresses to connect from: a list or a.b.c.d/N")
      ->option_text("LIST|CIDR");
  command
      .add_option("--connect-to", connect_to_,
                  "connect to these instead, in turn; Host and SNI stay the target's")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("LIST");
  command
      .add_option("--keepalive-requests", keepalive_requests_,
                  "rr, http: requests of a connection, drawn anew for each (no end)")
      ->option_text("MIN:MAX");
  command.add_option("--sndbuf", send_buffer_, "bytes for the kernel to send, SO_SNDBUF (its own)")
      ->check(CLI::Range(1, largest_buffer))
      ->option_text("N");
  command
      .add_option("--rcvbuf", receive_buffer_,
                  "bytes that the kernel receives, SO_RCVBUF (its own)")
      ->check(CLI::Range(1, largest_buffer))
      ->option_text("N");
  command
      .add_option("--port-range", port_range_,
                  "local ports to connect from (the kernel's; Linux 6.3)")
      ->option_text("FIRST:LAST");
  command
      .add_option("--proxy-proto", proxy_protocol_,
                  "v1 or v2: send a PROXY protocol header first; the source is SRC, or its own")
      ->option_text("VERSION[=SRC]");
}

/// Where connections go; empty: to the targets themselves.
Result<std::vector<Endpoint>> RunCommand::elsewhere() const {
  std::vector<Endpoint> all;
  for (const std::string& text : connect_to_) {
    auto endpoint = resolve(text);
    if (!endpoint) return fail(fmt::format("--connect-to: {}", endpoint.error().message));
    all.push_back(*endpoint);
  }
  return all;
}

Result<void> RunCommand::set_target(RunOptions& options) const {
  if (targets_.empty()) return fail("a target is missing: HOST:PORT, a URL or unix:PATH");
  if (auto set = read_word("--mode", mode_, mode_names, options.mode); !set) return set;
  auto dialled = elsewhere();
  if (!dialled) return std::unexpected(dialled.error());
  std::vector<Target> targets;
  for (const std::string& text : targets_) {
    auto target =
        dialled->empty() ? parse_target(text) : parse_target_elsewhere(text, dialled->front());
    if (!target) return std::unexpected(target.error());
    targets.push_back(std::move(*target));
    options.targets.push_back(targets.back().endpoint);
  }
  if (!dialled->empty()) options.targets = std::move(*dialled);
  const Target& first = targets.front();
  options.target_text = fmt::format("{}", fmt::join(targets_, ", "));
  options.secure = first.secure || tls_ || options.mode == Mode::tls;
  const bool url = targets_.front().starts_with("http");
  const bool http = options.mode == Mode::http || (options.mode == Mode::conn && url);
  for (const Target& target : targets) {
    const bool alike = target.secure == first.secure && (!http || target.path == first.path);
    const bool named =
        (http || (options.secure && server_names_.empty())) ? target.host == first.host : true;
    if (alike && named) continue;
    return fail(fmt::format(
        "{}: of several targets, all have to be of one scheme, for HTTP of one host and path, for "
        "TLS of one host (or say --sni); --connect-to takes several addresses of one target",
        options.target_text));
  }
  options.server_names = server_names_;
  if (server_names_.empty()) options.server_names.push_back(first.host);
  if (http) {
    std::string request =
        fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method_, first.path, first.host);
    for (const std::string& header : headers_) request += header + "\r\n";
    if (!body_.empty()) request += fmt::format("Content-Length: {}\r\n", body_.size());
    options.http_request = request + "\r\n" + body_;
  }
  return {};
}

Result<void> RunCommand::set_connections(RunOptions& options) const {
  if (!sources_.empty()) {
    auto sources = parse_sources(sources_);
    if (!sources) return std::unexpected(sources.error());
    options.sources = std::move(*sources);
  }
  options.socket.send_buffer = send_buffer_;
  options.socket.receive_buffer = receive_buffer_;
  if (!port_range_.empty()) {
    auto ports = read_range<std::uint16_t>("--port-range", port_range_, 65535);
    if (!ports) return std::unexpected(ports.error());
    options.socket.local_ports = {.first = ports->first, .last = ports->second};
  }
  if (!keepalive_requests_.empty()) {
    auto range =
        read_range<std::uint64_t>("--keepalive-requests", keepalive_requests_, 1'000'000'000);
    if (!range) return std::unexpected(range.error());
    options.requests_each = {.least = range->first, .most = range->second};
  }
  return set_introduction(options);
}

Result<void> RunCommand::set_introduction(RunOptions& options) const {
  if (proxy_protocol_.empty()) return {};
  const std::size_t equals = proxy_protocol_.find('=');
  Introduction introduction;
  if (auto set = read_word("--proxy-proto", proxy_protocol_.substr(0, equals), {"v1", "v2"},
                           introduction.version);
      !set) {
    return set;
  }
  if (equals != std::string::npos) {
    auto source = parse_address(std::string_view(proxy_protocol_).substr(equals + 1));
    if (!source) return fail(fmt::format("--proxy-proto: {}", source.error().message));
    introduction.source = *source;
  }
  for (const Endpoint& target : options.targets) {
    const bool fits =
        !introduction.source.is_ip() || introduction.source.family() == target.family();
    if (target.is_ip() && fits) continue;
    return fail(fmt::format("--proxy-proto {}: {} is no address of the same family",
                            proxy_protocol_, target.to_string()));
  }
  options.introduction = introduction;
  return {};
}

}  // namespace penstock::load
