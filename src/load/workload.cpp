// Who gets which share of what was asked for.
#include "workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "codec_http.h"
#include "codec_rr.h"
#include "crowd.h"
#include "exchange.h"
#include "penstock/base/descriptor_limit.h"

namespace penstock::load {
namespace {

/// Beside those in use there may be as many that are closing, twice: a second to wait for the
/// peer's end, and a second for the next ones'.
constexpr std::uint32_t closing_factor = 3;
constexpr std::uint32_t spare_connections = 64;

/// The n-th of so many nearly equal parts of a whole.
template <class T>
T part_of(T whole, T parts, T number) noexcept {
  return whole / parts + (number < whole % parts ? 1 : 0);
}

/// What is in the parts before the n-th.
template <class T>
T sum_before(T whole, T parts, T number) noexcept {
  return (whole / parts * number) + std::min(number, whole % parts);
}

std::unique_ptr<Codec> make_codec(const RunOptions& options) {
  if (options.mode == Mode::tls) return nullptr;
  if (!options.http_request.empty()) return std::make_unique<CodecHttp>(options.http_request);
  return std::make_unique<CodecRr>(CodecRrOptions{.request_size = options.request_size,
                                                  .answer_size = options.answer_size,
                                                  .verify = options.verify});
}

/// The first flight of a client, as it would go to the target.
Result<std::vector<std::byte>> make_hello(const RunOptions& options) {
  auto context = tls::Context::create_client({.verification = tls::Verification::off});
  if (!context) return std::unexpected(context.error());
  auto engine =
      tls::Engine::create_client(**context, {.server_name = options.server_names.front()});
  if (!engine) return std::unexpected(engine.error());
  std::vector<std::byte> hello(tls::Engine::record_size);
  tls::Window window{.input = {}, .output = hello};
  (void)(*engine)->handshake(window);
  hello.resize(hello.size() - window.output.size());
  return hello;
}

}  // namespace

Result<std::unique_ptr<Workload>> Workload::create(const RunOptions& options) {
  std::unique_ptr<Workload> made(new Workload(options));  // NOLINT: the constructor is private
  made->codec_ = make_codec(options);
  if (options.socket.local_ports.first > 0) {
    auto checked = check_local_ports(options.socket.local_ports);
    if (!checked) return fail(fmt::format("--port-range: {}", checked.error().message));
  }
  auto buffers = check_buffers(options.socket.send_buffer, options.socket.receive_buffer);
  if (!buffers) return fail(fmt::format("--sndbuf, --rcvbuf: {}", buffers.error().message));
  if (options.mode != Mode::chaos) return made;
  auto hello = make_hello(options);
  if (!hello) return std::unexpected(hello.error());
  made->chaos_.hello = std::move(*hello);
  made->chaos_.request = "GET / HTTP/1.1\r\nHost: zero-window\r\n\r\n";
  if (options.secure) {
    const auto* text = reinterpret_cast<const char*>(made->chaos_.hello.data());
    made->chaos_.request.assign(text, made->chaos_.hello.size());
  }
  return made;
}

Result<void> Workload::make_room(std::span<const RunOptions* const> loads) {
  std::uint64_t connections = 0;
  std::uint64_t needed = 0;
  for (const RunOptions* load : loads) {
    connections += load->connections;
    needed += Workload(*load).descriptors();
  }
  const std::uint64_t limit = raise_descriptor_limit(needed);
  if (limit >= needed) return {};
  return fail(
      fmt::format("{} connections need {} descriptors, the limit is {}; raise it (ulimit -n) or "
                  "use fewer connections",
                  connections, needed, limit));
}

std::uint32_t Workload::workers() const noexcept {
  return options_.threads + (has_crowd(options_.mode) && options_.active > 0 ? 1 : 0);
}

/// The last worker, after those of the crowd.
bool Workload::beside(std::uint32_t worker) const noexcept { return worker >= options_.threads; }

std::uint32_t Workload::share_of(std::uint32_t worker) const noexcept {
  if (beside(worker)) return options_.active;
  return part_of(options_.connections, options_.threads, worker);
}

std::uint32_t Workload::connections_of(std::uint32_t worker) const noexcept {
  const std::uint32_t share = share_of(worker);
  // Those stay: what closes is what was lost.
  if (options_.mode == Mode::hold && !beside(worker)) return share + spare_connections;
  return (share * closing_factor) + spare_connections;
}

std::uint64_t Workload::descriptors() const noexcept {
  std::uint64_t sum = 64;
  for (std::uint32_t worker = 0; worker < workers(); ++worker) sum += connections_of(worker);
  return sum;
}

Worker::Engines Workload::make_engines(Context& context, tls::Context* tls,
                                       std::uint32_t worker) const {
  Worker::Engines engines;
  if (!has_crowd(options_.mode) || beside(worker)) {
    engines.push_back(make_exchange(context, tls, worker));
  } else if (options_.mode == Mode::chaos) {
    add_chaos(engines, context, worker);
  } else {
    engines.push_back(make_crowd(context, tls, worker));
  }
  return engines;
}

Dialer Workload::make_dialer(Context& context, tls::Context* tls, std::uint32_t worker) const {
  DialerOptions options{.targets = options_.targets,
                        .socket = options_.socket,
                        .introduction = options_.introduction};
  const bool split = options_.sources.size() >= options_.threads;
  for (std::size_t i = split ? worker % options_.threads : 0; i < options_.sources.size();
       i += split ? options_.threads : 1) {
    options.sources.push_back(options_.sources[i]);
  }
  options.timeout = options_.connect_timeout;
  std::unique_ptr<TlsDialer> tls_dialer;
  if (tls != nullptr) {
    tls_dialer =
        std::make_unique<TlsDialer>(*tls, TlsDialerOptions{.server_names = options_.server_names,
                                                           .resume_share = options_.resume_share});
  }
  return {context, std::move(options), std::move(tls_dialer)};
}

std::unique_ptr<Engine> Workload::make_exchange(Context& context, tls::Context* tls,
                                                std::uint32_t worker) const {
  const bool alone = beside(worker);
  const std::uint32_t workers = alone ? 1 : options_.threads;
  const std::uint32_t number = alone ? 0 : worker;
  ExchangeOptions options;
  options.codec = codec_.get();
  options.connections = share_of(worker);
  if (!alone) options.first_number = sum_before(options_.connections, options_.threads, worker);
  options.depth = options_.depth;
  options.requests_each = options_.requests_each;
  options.one_each = options_.mode == Mode::conn || options_.mode == Mode::tls;
  options.ending = options_.ending;
  options.closed_loop = options_.closed_loop;
  if (options_.operations) {
    options.operations = part_of<std::uint64_t>(*options_.operations, workers, number);
  }
  options.most_waiting = options_.most_waiting / workers;
  options.catch_up = options_.catch_up;
  options.seed = options_.seed + worker;
  options.timeout = options_.timeout;
  options.warmup = options_.warmup;
  std::optional<Timeline> timeline;
  if (!options_.closed_loop) {
    timeline.emplace(TimelineOptions{.profile = options_.profile,
                                     .arrival = options_.arrival,
                                     .burst = options_.burst,
                                     .seed = options_.seed,
                                     .worker = number,
                                     .workers = workers});
  }
  return std::make_unique<Exchange>(context, options, make_dialer(context, tls, worker),
                                    std::move(timeline));
}

std::unique_ptr<Engine> Workload::make_crowd(Context& context, tls::Context* tls,
                                             std::uint32_t worker) const {
  const CrowdOptions options{
      .connections = share_of(worker),
      .first_number = sum_before(options_.connections, options_.threads, worker),
      .dials_per_second = options_.dials_per_second / options_.threads,
      .seed = options_.seed + worker};
  Crowd::MakePart make_part = make_idle;
  if (options_.mode == Mode::bulk) {
    make_part = [direction = options_.direction, verify = options_.verify](Member& member) {
      const bool up =
          direction == Direction::up || (direction == Direction::both && member.number % 2 == 0);
      return up ? make_upload(member, verify) : make_download(member, verify);
    };
  }
  return std::make_unique<Crowd>(context, options, make_dialer(context, tls, worker),
                                 std::move(make_part));
}

/// A crowd for each kind, all of them of plain TCP: a handshake would spoil what they do.
void Workload::add_chaos(Worker::Engines& engines, Context& context, std::uint32_t worker) const {
  const auto kinds = static_cast<std::uint32_t>(options_.chaos.size());
  std::uint64_t number = sum_before(options_.connections, options_.threads, worker);
  for (std::uint32_t i = 0; i < kinds; ++i) {
    const CrowdOptions options{
        .connections = part_of(share_of(worker), kinds, i),
        .first_number = number,
        .dials_per_second = options_.dials_per_second / (options_.threads * kinds),
        .dials_before = false,
        .seed = options_.seed + (std::uint64_t{worker} * kinds) + i};
    number += options.connections;
    const ChaosKind kind = options_.chaos[i];
    engines.push_back(std::make_unique<Crowd>(
        context, options, make_dialer(context, nullptr, worker),
        [this, kind](Member& member) { return make_chaos(member, kind, chaos_); }));
  }
}

}  // namespace penstock::load
