// What the seed decides before anything moves: how many of everything, how bad the weather is, and
// when the supervisor does what.
#include <fmt/format.h>

#include <algorithm>

#include "penstock/tls/context.h"
#include "world.h"

namespace penstock::sim {
namespace {

constexpr std::uint32_t table_size = 251;

Endpoint endpoint(const std::string& text) {
  const auto parsed = Endpoint::parse(text);
  PENSTOCK_ASSERT(parsed.has_value());
  return *parsed;
}

}  // namespace

void World::draw_setup() {
  setup_.shards = random_.between(1, 3);
  setup_.clients = random_.between(1, 40);
  setup_.sources = random_.between(1, 12);
  setup_.max_connections =
      random_.chance(0.3) ? static_cast<std::uint32_t>(random_.between(1, 6)) : 64;
  setup_.faulty = random_.chance(0.8);
  setup_.flapping = random_.chance(0.4);
  if (random_.chance(0.3)) setup_.idle_timeout = random_.duration(300ms, 2s);
  setup_.connect_timeout = random_.duration(50ms, 2s);
  setup_.connect_tries = static_cast<int>(random_.between(1, 4));
  if (random_.chance(0.5)) setup_.hash_key = balance::HashKey::source_ip_port;
  setup_.tls = random_.chance(0.4);
  setup_.backend_tls = random_.chance(0.25);
  setup_.handshake_timeout = random_.duration(100ms, 3s);
  if (random_.chance(0.3)) {
    config::Health& health = setup_.health.emplace();
    if (random_.chance(0.5)) health.type = config::HealthType::http;
    health.interval = random_.duration(50ms, 1s);
    health.timeout = random_.duration(50ms, 500ms);
    health.rise = static_cast<int>(random_.between(1, 3));
    health.fall = static_cast<int>(random_.between(1, 3));
  }
  if (random_.chance(0.7)) {
    relay::SpliceRules& rules = setup_.splice.emplace();
    rules.pipe_size = random_.between(1, 40'000);
    rules.threshold = random_.between(1, 60'000);
    rules.run = random_.duration(1ms, 200ms);
    rules.least = random_.between(0, 10'000);
    rules.interval = random_.duration(1ms, 20ms);
    rules.slow_intervals = static_cast<std::uint16_t>(random_.between(1, 3));
    rules.watermark_after = random_.below(60'000);
    rules.watermark = random_.between(1, 60'000);
  }
  setup_.hand_over = random_.chance(0.7);
  setup_.even_enough = static_cast<std::uint32_t>(random_.below(3));
  setup_.active_time = random_.duration(500ms, 6s);
  if (random_.chance(0.25)) setup_.stop_after = random_.duration(0s, setup_.active_time);
  if (random_.chance(0.15)) setup_.cut_after = random_.duration(0s, setup_.active_time);
}

void World::draw_faults() {
  Wire wire;
  if (random_.chance(0.9)) {
    wire.latency_min = random_.duration(1us, 100us);
    wire.latency_max = random_.chance(0.3) ? random_.duration(1ms, 40ms) : 500us;
  }
  if (random_.chance(0.5)) {
    wire.send_buffer_min = 1024;
    wire.receive_buffer_min = 1024;
  }
  wire.split = random_.chance(0.5) ? 0.5 : 0;
  wire.user_timeout = 10s;
  kernel_.network().set_wire(wire);
  Faults faults;
  if (setup_.faulty) {
    // Probabilities are themselves drawn, so that rare things are sometimes frequent.
    const auto some = [this](double most) {
      return random_.chance(0.5) ? most * static_cast<double>(random_.below(1000)) / 1000 : 0;
    };
    faults = {.postpone = some(0.6),
              .spurious_wakeup = some(0.2),
              .short_receive = some(0.5),
              .short_send = some(0.3),
              .watch_ends = some(0.5),
              .no_buffer = some(0.2),
              .accept_ends = some(0.5),
              .accept_out_of_files = some(0.1),
              .accept_aborted = some(0.1),
              .late_cancel = some(0.8),
              .open_socket_fails = some(0.1),
              .no_local_port = some(0.1),
              .pipe_fails = some(0.5),
              .pipe_full_early = some(0.5),
              .turn_cost_max = Duration(random_.below(50'000)),
              .completion_entries = random_.chance(0.2) ? 2U : 0U};
  }
  if (setup_.faulty && random_.chance(0.2)) {  // for a while there is no descriptor at all
    const Duration begins = random_.duration(0s, setup_.active_time);
    kernel_.timeline().after(begins, [this] { set_shortage(true); });
    kernel_.timeline().after(begins + random_.duration(100ms, 1s), [this] { set_shortage(false); });
  }
  kernel_.set_faults(faults);
}

void World::make_backends() {
  const std::size_t count = random_.between(1, 5);
  const auto kind = random_.below(4);
  for (std::size_t i = 0; i < count; ++i) {
    Backend backend;
    if (kind == 0) {
      backend.at = endpoint(fmt::format("unix:/backends/{}", i));
    } else if (kind == 1) {
      backend.at = endpoint(fmt::format("[2001:db8::{}]:80", i + 1));
    } else {
      backend.at = endpoint(fmt::format("10.0.0.{}:80", i + 1));
    }
    if (random_.chance(0.25)) backend.mood = static_cast<Mood>(random_.below(4));
    if (random_.chance(0.3)) backend.check_answer = static_cast<CheckAnswer>(random_.below(7));
    backends_.push_back(backend);
  }
  for (std::size_t i = 0; i < count; ++i) {
    serve(backends_[i]);
    if (setup_.flapping) flap_later(i);
  }
  liveness_ = balance::Liveness(count);
  pushed_.emplace_back(Instant::min(), liveness_);
}

void World::make_routing() {
  std::vector<balance::Member> members;
  for (std::uint32_t i = 0; i < backends_.size(); ++i) {
    members.push_back({.name = backends_[i].at.to_string(),
                       .weight = static_cast<std::uint32_t>(random_.between(1, 3)),
                       .id = BackendId{i}});
    routing_.backends.push_back(backends_[i].at);
  }
  routing_.hash_seed = random_.next();
  routing_.pools.push_back(
      {.hash_key = setup_.hash_key,
       .connect_timeout = setup_.connect_timeout,
       .connect_tries = setup_.connect_tries,
       .table = std::make_shared<const balance::Maglev>(members, table_size, routing_.hash_seed),
       .server_name = {}});
  for (int i = 0; i < 3; ++i) {
    routing_.listeners.push_back({.pool = PoolId{0},
                                  .routes = {},
                                  .handshake_timeout = setup_.handshake_timeout,
                                  .idle_timeout = setup_.idle_timeout,
                                  .connection = {}});
  }
}

/// As the supervisor makes them, for one shard.
std::unique_ptr<relay::TlsContexts> World::make_contexts() const {
  auto contexts = std::make_unique<relay::TlsContexts>();
  contexts->listeners.resize(3);
  contexts->pools.resize(1);
  if (setup_.tls) {
    tls::ServerOptions options;
    options.certificates.push_back(tls_identity());
    auto context = tls::Context::create_server(options);
    PENSTOCK_ASSERT(context.has_value());
    contexts->listeners[2] = std::move(*context);
  }
  if (setup_.backend_tls) {
    auto context = tls::Context::create_client({.verification = tls::Verification::off});
    PENSTOCK_ASSERT(context.has_value());
    contexts->pools[0] = std::move(*context);
  }
  return contexts;
}

/// Addresses that each shard listens on for itself, plain and TLS, and a unix socket that they
/// share.
void World::make_listeners() {
  const std::string host = random_.chance(0.5) ? "192.0.2.1" : "[2001:db8:ffff::1]";
  binds_ = {endpoint(host + ":8080"), endpoint("unix:/run/front.sock"), endpoint(host + ":8443")};
  const std::size_t backlog = random_.chance(0.2) ? 2 : 4096;
  for (std::size_t i = 0; i < setup_.shards; ++i) {
    listeners_.emplace_back();
    listeners_.back().push_back(kernel_.listen(binds_[0], backlog));
    if (setup_.tls) listeners_.back().push_back(kernel_.listen(binds_[2], backlog));
  }
  unix_listener_ = kernel_.listen(binds_[1], backlog);
}

void World::make_shards() {
  for (std::size_t i = 0; setup_.hand_over && i < setup_.shards; ++i)
    inboxes_.push_back(std::make_unique<relay::Inbox>());
  inbox_since_.assign(inboxes_.size(), never);
  for (std::size_t i = 0; i < setup_.shards; ++i) {
    counters_.push_back(std::make_unique<stats::ShardCounters>(3, backends_.size()));
    records_.push_back(std::make_unique<stats::RecordRing>(4096));
    std::vector<relay::LentListener> lent = {{.id = ListenerId{0}, .fd = listeners_[i][0]},
                                             {.id = ListenerId{1}, .fd = unix_listener_}};
    if (setup_.tls) lent.push_back({.id = ListenerId{2}, .fd = listeners_[i][1]});
    io::FeatureSet features = io::FeatureSet::all();
    if (random_.chance(0.2)) features.remove(io::Feature::multishot_accept);
    if (random_.chance(0.2)) features.remove(io::Feature::poll_first);
    relay::ShardOptions options;
    options.id = ShardId{static_cast<std::uint32_t>(i)};
    options.features = features;
    options.max_connections = setup_.max_connections;
    options.process_sessions = &process_sessions_;
    options.counters = counters_.back().get();
    options.records = records_.back().get();
    if (setup_.splice) {
      options.pipe_budget = &pipe_budget_;
      options.splice = *setup_.splice;
    }
    options.inboxes = inboxes_;
    options.even_enough = setup_.even_enough;
    auto shard = relay::Shard::create(kernel_, options, routing_, make_contexts(), liveness_, lent);
    PENSTOCK_ASSERT(shard.has_value());
    shards_.push_back(std::move(*shard));
  }
}

/// Production's checker, over the same network. What it finds goes to the shards as the supervisor
/// hands it on.
void World::make_checker() {
  if (!setup_.health) return;
  config_ = std::make_unique<config::Config>();
  config_->pools.push_back(
      {.name = "app", .tls = std::nullopt, .health = setup_.health, .backends = {}});
  if (setup_.backend_tls) {
    config_->pools[0].tls.emplace();
    config_->pools[0].tls->options.verification = tls::Verification::off;
  }
  for (std::uint32_t i = 0; i < backends_.size(); ++i) {
    config_->pools[0].backends.push_back({.id = BackendId{i},
                                          .name = backends_[i].at.to_string(),
                                          .address = backends_[i].at,
                                          .weight = 1});
  }
  auto checker = health::Checker::create(kernel_, *config_,
                                         {.features = io::FeatureSet::all(),
                                          .seed = random_.next(),
                                          .on_change = [this](const balance::Liveness& liveness) {
                                            liveness_ = liveness;
                                            push_liveness();
                                          }});
  PENSTOCK_ASSERT(checker.has_value());
  checker_ = std::move(*checker);
}

Endpoint World::draw_source() {
  const auto host = random_.between(1, setup_.sources);
  const auto port = 20000 + clients_.size();  // no two clients are alike
  return endpoint(binds_[0].family() == AF_INET ? fmt::format("198.51.100.{}:{}", host, port)
                                                : fmt::format("[2001:db8:c::{}]:{}", host, port));
}

void World::plan_clients() {
  clients_.reserve(setup_.clients);  // events refer to them
  for (std::size_t i = 0; i < setup_.clients; ++i) {
    const bool over_unix = random_.chance(0.1);
    clients_.emplace_back();
    Client& client = clients_.back();
    client.to_tls = setup_.tls && !over_unix && random_.chance(0.4);
    client.to = binds_[over_unix ? 1 : client.to_tls ? 2 : 0];
    client.from = over_unix ? Endpoint() : draw_source();
    Duration begins = random_.duration(0s, setup_.active_time);
    if (setup_.stop_after && random_.chance(0.5)) {  // so that some are queued when it stops
      begins =
          *setup_.stop_after - std::min<Duration>(*setup_.stop_after, random_.duration(0s, 2ms));
    }
    kernel_.timeline().after(begins, [this, &client] { connect(client); });
  }
}

void World::plan_supervisor() {
  Timeline& timeline = kernel_.timeline();
  calm_at_ = kernel_.now() + setup_.active_time;
  timeline.at(calm_at_, [this] { calm_down(); });
  // Certificates change under handshakes.
  if (setup_.tls || setup_.backend_tls) {
    for (std::uint64_t i = random_.below(4); i > 0; --i) {
      timeline.after(random_.duration(0s, setup_.active_time), [this] {
        for (const auto& shard : shards_) {
          if (shard != nullptr) shard->push_contexts(make_contexts());
        }
      });
    }
  }
  timeline.after(setup_.stop_after.value_or(setup_.active_time + 1s), [this] { stop_accepting(); });
  if (setup_.cut_after) {
    timeline.after(*setup_.cut_after, [this] {
      cut_ = true;
      stop_accepting();
      for (const auto& shard : shards_) {
        if (shard != nullptr) shard->cut_sessions();
      }
    });
  }
}

/// A backend goes down or comes back, and sooner or later the shards hear of it.
void World::flap_later(std::size_t index) {
  kernel_.timeline().after(random_.duration(10ms, 2s), [this, index] {
    if (calm_) return;
    Backend& backend = backends_[index];
    backend.mood =
        backend.mood == Mood::serves ? static_cast<Mood>(random_.below(4)) : Mood::serves;
    if (random_.chance(0.3)) backend.check_answer = static_cast<CheckAnswer>(random_.below(7));
    serve(backend);
    if (!setup_.health && random_.chance(0.7)) {
      kernel_.timeline().after(random_.duration(0s, 300ms), [this, index] {
        liveness_.set(BackendId{static_cast<std::uint32_t>(index)},
                      backends_[index].mood == Mood::serves || random_.chance(0.1));
        push_liveness();
      });
    }
    flap_later(index);
  });
}

Script World::draw_script(bool is_client, bool speaks_tls) {
  Script script;
  const std::uint64_t sizes[] = {0, 8, random_.between(8, 200), random_.between(8, 20'000),
                                 random_.between(8, 400'000)};
  script.total = sizes[random_.below(std::size(sizes))];
  script.write_chunk = random_.chance(0.1) ? 3 : random_.between(100, 60'000);
  script.read_chunk = random_.chance(0.1) ? 7 : random_.between(100, 60'000);
  // A few bytes at a time are for short streams.
  if (script.write_chunk == 3 || script.read_chunk == 7)
    script.total = std::min<std::uint64_t>(script.total, 5'000);
  if (random_.chance(0.2)) {
    script.pace_max = 30ms;
    script.stall = 0.1;
    script.stall_max = random_.duration(10ms, 1s);
  }
  script.fin_after_peer = random_.chance(is_client ? 0.3 : 0.5);
  // A backend that is checked over HTTP does not speak first.
  const bool checked = setup_.health && setup_.health->type == config::HealthType::http;
  script.answers = !is_client && (checked || random_.chance(0.5));
  script.silent = random_.chance(0.03);
  if (random_.chance(0.2)) {
    const std::uint64_t far = random_.chance(0.3) ? 10 : 300'000;
    script.leave_after = random_.below(far);
    script.leave = static_cast<Leave>(random_.below(3));
    if (script.leave == Leave::vanish && random_.chance(0.7)) script.leave = Leave::reset;
  }
  if (speaks_tls) draw_tls(script);
  if (script.tls && !is_client) {
    script.tls->server = true;
    if (!calm_ && random_.chance(0.1)) {  // in the handshake
      script.leave_after = 0;
      script.leave = random_.chance(0.5) ? Leave::close : Leave::reset;
    }
  }
  return script;
}

void World::draw_tls(Script& script) {
  script.total = std::min<std::uint64_t>(script.total, 150'000);
  if (!calm_ && random_.chance(0.05)) {
    script.garbage = true;
    script.total = std::max<std::uint64_t>(script.total, 300);
    return;
  }
  script.tls.emplace();
  script.tls->tls13 = random_.chance(0.6);
  script.tls->fin_after_notify = random_.chance(0.5);
  if (script.tls->tls13 && random_.chance(0.3)) script.tls->key_updates = 0.5;
  if (random_.chance(0.15)) {
    script.tls->trickle = random_.between(1, 4);
    script.total = std::min<std::uint64_t>(script.total, 100);
    script.pace_max = 20ms;
  }
  if (random_.chance(0.15)) {
    script.leave_after = random_.below(20'000);
    script.leave = Leave::close;
  }
  if (!calm_ && random_.chance(0.1))
    script.tls->corrupts = 1 + random_.below(random_.chance(0.5) ? 800 : 20'000);
}

}  // namespace penstock::sim
