// The way up: probe, plan, open, start. Every step either succeeds or names what is wrong and what
// to do about it; the log lines it leaves are those that an operator looks for first.
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "penstock/app/capacity.h"
#include "penstock/app/command_line.h"
#include "penstock/base/cpus.h"
#include "penstock/base/descriptor_limit.h"
#include "penstock/base/log.h"
#include "service_manager.h"
#include "supervisor.h"
#include "words.h"

namespace penstock::app {
namespace {

std::unexpected<StartError> refuse(const Error& error, int exit_code = exit_failed) {
  return std::unexpected(StartError{.exit_code = exit_code, .message = error.message});
}

stats::Names names_of(const config::Config& config) {
  stats::Names names;
  for (const config::Listener& listener : config.listeners)
    names.listeners.push_back(listener.name);
  names.backends.resize(config.backend_count());
  for (const config::Pool& pool : config.pools) {
    for (const config::Backend& backend : pool.backends) {
      names.backends[backend.id.value] = pool.name + "/" + backend.name;
    }
  }
  return names;
}

std::size_t checked_backends(const config::Config& config) {
  std::size_t count = 0;
  for (const config::Pool& pool : config.pools) {
    if (pool.health) count += pool.backends.size();
  }
  return count;
}

std::size_t socket_count(const config::Config& config, std::uint32_t shards) {
  std::size_t count = 0;
  for (const config::Listener& listener : config.listeners) {
    for (const Endpoint& at : listener.bind) count += at.is_unix() ? 1 : shards;
  }
  return count;
}

}  // namespace

Supervisor::Supervisor(Signals& signals, config::Config config, const Options& options)
    : signals_(signals),
      config_(std::move(config)),
      options_(options),
      standard_output_(STDOUT_FILENO),
      names_(names_of(config_)) {}

std::expected<void, StartError> Supervisor::start() {
  log::set_level(config_.log.level);
  log::info("penstock {} starts, process {}", PENSTOCK_VERSION, ::getpid());
  using Step = std::expected<void, StartError> (Supervisor::*)();
  for (const Step step :
       {&Supervisor::probe_kernel, &Supervisor::plan_capacity, &Supervisor::open_outputs,
        &Supervisor::open_sockets, &Supervisor::start_shards, &Supervisor::start_health,
        &Supervisor::watch_tls_files}) {
    if (auto done = (this->*step)(); !done) {
      take_down();
      return done;
    }
  }
  log::info("ready: {}, {}", counted(shard_count_, "shard"),
            counted(config_.listeners.size(), "listener"));
  tell_service_manager("READY=1");
  return {};
}

std::expected<void, StartError> Supervisor::probe_kernel() {
  const auto features = io::probe_features(config_.process.io_disable);
  if (!features) return refuse(features.error(), exit_unavailable);
  features_ = *features;
  log::info("io_uring: {}", io::describe(features_, config_.process.io_disable));
  return {};
}

std::expected<void, StartError> Supervisor::plan_capacity() {
  cpus_ = allowed_cpus();
  shard_count_ = config_.process.shards.value_or(shards_for(cpus_.size(), cpu_quota()));

  DescriptorNeeds needs{
      .listening_sockets = socket_count(config_, shard_count_),
      .shards = shard_count_,
      .probes = std::min<std::size_t>(checked_backends(config_), health::Checker::probes_at_once)};
  const auto wanted = config_.process.max_connections;
  std::uint64_t limit = raise_descriptor_limit(descriptors_for(wanted.value_or(0), needs));
  if (features_.has(io::Feature::splice)) {
    const std::uint64_t memory =
        config_.process.pipe_memory ? *config_.process.pipe_memory : pipe_memory_share();
    constexpr std::size_t pipe_size = relay::SpliceRules{}.pipe_size;
    needs.pipes = pipes_for(memory, pipe_size, limit);
    if (config_.process.pipe_memory && needs.pipes < memory / pipe_size) {
      log::warn(
          "pipe_memory is enough for {} pipes, and {} are used: they may take an eighth of the "
          "limit of open files, {}; raise it (ulimit -n, or LimitNOFILE in the systemd unit)",
          memory / pipe_size, needs.pipes, limit);
    }
    pipe_budget_.emplace(needs.pipes * pipe_size);
    limit = raise_descriptor_limit(descriptors_for(wanted.value_or(0), needs));
  }
  const Capacity capacity = capacity_for(limit, needs, wanted);
  if (capacity.connections == 0) {
    return refuse(
        {fmt::format("the limit of open files, {}, leaves no room for a connection: {} are "
                     "needed for the first; raise it (ulimit -n, or LimitNOFILE in the "
                     "systemd unit)",
                     limit, descriptors_for(1, needs))});
  }
  if (capacity.clamped) {
    log::warn(
        "max_connections is {} instead of {}: the limit of open files is {}, and {} would be "
        "needed; raise it (ulimit -n, or LimitNOFILE in the systemd unit)",
        capacity.connections, *wanted, limit, descriptors_for(*wanted, needs));
  }
  max_connections_ = capacity.connections;

  const relay::MemoryLimit memory = relay::memory_limit(max_connections_);
  const std::size_t bytes = memory.per_session * max_connections_ + memory.per_shard * shard_count_;
  constexpr std::size_t kib = 1024;
  log::info("capacity: {}, at most {} MiB ({} KiB each, {} MiB per shard; TLS needs more)",
            counted(max_connections_, "connection"), bytes / (kib * kib) + 1,
            (memory.per_session + kib - 1) / kib, memory.per_shard / (kib * kib) + 1);
  return {};
}

std::expected<void, StartError> Supervisor::open_outputs() {
  event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_.valid()) return refuse(fail_errno("cannot open an eventfd", errno).error());
  failures_ = std::make_unique<FailureTeller>(names_, shard_count_);
  if (config_.log.access == "off") return {};
  auto opened = AccessLog::open(config_.log.access, standard_output_, names_, shard_count_);
  if (!opened) return refuse(opened.error());
  access_log_ = std::move(*opened);
  return {};
}

std::expected<void, StartError> Supervisor::open_sockets() {
  auto opened = ListeningSockets::open(config_, shard_count_);
  if (!opened) return refuse(opened.error());
  sockets_ = std::move(*opened);
  for (const ListeningSockets::Address& address : sockets_.addresses()) {
    log::info("listening: {} on {}", names_.listeners[address.listener.value],
              address.at.to_string());
  }
  return {};
}

std::expected<void, StartError> Supervisor::start_shards() {
  const relay::Tables tables = relay::build_tables(config_);
  for (std::uint32_t i = 0; i < shard_count_; ++i) {
    routings_.push_back(relay::Routing::build(config_, tables));
    auto contexts = relay::TlsContexts::build(config_);
    if (!contexts) return refuse(contexts.error());
    contexts_.push_back(std::move(*contexts));
    counters_.push_back(
        std::make_unique<stats::ShardCounters>(names_.listeners.size(), names_.backends.size()));
  }
  if (config_.process.hand_over && shard_count_ > 1) {
    for (std::uint32_t i = 0; i < shard_count_; ++i)
      inboxes_.push_back(std::make_unique<relay::Inbox>());
  }
  for (std::uint32_t i = 0; i < shard_count_; ++i) shards_.push_back(make_shard(ShardId{i}));
  std::expected<void, StartError> all;
  for (std::size_t i = shards_.size(); i-- > 0;) {
    if (auto made = shards_[i]->made(); !made) {
      all = refuse({fmt::format("shard {} cannot start: {}", i, made.error().message)});
      shards_.erase(shards_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  // None runs before all exist, so that no connection is taken by a process that will not start.
  if (!all) return all;
  for (const auto& shard : shards_) shard->go();
  return {};
}

std::unique_ptr<Supervisor::ShardThread> Supervisor::make_shard(ShardId id) {
  const relay::ShardOptions options{.id = id,
                                    .features = features_,
                                    .max_connections = max_connections_,
                                    .process_sessions = &process_sessions_,
                                    .counters = counters_[id.value].get(),
                                    .records = access_log_ ? &access_log_->ring(id) : nullptr,
                                    .pipe_budget = pipe_budget_ ? &*pipe_budget_ : nullptr,
                                    .splice = {},
                                    .inboxes = inboxes_,
                                    .failures = &failures_->box(id),
                                    .supervisor_event = event_.get()};
  const bool pinned = config_.process.pin && !cpus_.empty();
  const int cpu = pinned ? cpus_[id.value % cpus_.size()] : -1;
  return std::make_unique<ShardThread>(ShardThread::Parts{
      .name = fmt::format("shard-{}", id.value),
      .make = [this, options, cpu]() -> Result<std::unique_ptr<relay::Shard>> {
        if (cpu >= 0 && !pin_this_thread(cpu)) {
          log::warn("shard {} could not be pinned to CPU {}", options.id.value, cpu);
        }
        return relay::Shard::create(
            kernel_, options, *routings_[options.id.value], std::move(contexts_[options.id.value]),
            balance::Liveness(names_.backends.size()), sockets_.lend(options.id));
      },
      .run = [](relay::Shard& shard) -> Result<void> {
        while (true) {
          const auto more = shard.turn();
          if (!more) return std::unexpected(more.error());
          if (!*more) return {};
        }
      },
      .on_end = [this] { kernel_.notify(event_.get()); }});
}

std::expected<void, StartError> Supervisor::start_health() {
  if (checked_backends(config_) == 0) return {};
  health_ = std::make_unique<HealthThread>(HealthThread::Parts{
      .name = "health",
      .make = [this]() -> Result<std::unique_ptr<health::Checker>> {
        return health::Checker::create(
            kernel_, config_,
            {.features = features_,
             .seed = static_cast<std::uint64_t>(::getpid()),
             .on_change = [this](const balance::Liveness& liveness) {
               for (const auto& shard : shards_) {
                 shard->object().push_liveness(std::make_unique<const balance::Liveness>(liveness));
               }
             }});
      },
      .run = [](health::Checker& checker) -> Result<void> {
        while (checker.turn()) {
        }
        return {};
      },
      .on_end = [] {}});
  if (auto made = health_->made(); !made) {
    health_.reset();
    return refuse({fmt::format("the health checks cannot start: {}", made.error().message)});
  }
  health_->go();
  return {};
}

}  // namespace penstock::app
