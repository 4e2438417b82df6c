// How the world turns: shards take turns in an order of the seed's, everything else is an event.
#include "world.h"

#include <fmt/format.h>

#include <algorithm>

#include "allocations.h"
#include "penstock/base/log.h"

namespace penstock::sim {
namespace {

/// After the weather has calmed down, every session is over within this: the longest of a vanished
/// peer (10 s), connect tries (4 × 2 s), an undeliverable end (5 s), and the slowest reader's rest.
/// Those that wait at the limit of connections are let in one after another.
constexpr Duration patience = 40s;
/// More than any seed needs; a shard that spins gets here.
constexpr std::uint64_t turn_limit = 3'000'000;

/// Of all shards: a pipe or three.
constexpr std::uint64_t pipe_budget = 65536;
constexpr Duration flow_interval = 50ms;

Answer answer_of(Mood mood) noexcept {
  switch (mood) {
    case Mood::unreachable:
      return Answer::host_unreachable;
    case Mood::silent:
      return Answer::silent;
    default:
      return Answer::refuses;
  }
}

}  // namespace

World::World(std::uint64_t seed, bool traced, std::span<const std::uint8_t> first)
    : seed_(seed),
      kernel_(Random(seed, first)),
      random_(kernel_.random()),
      pipe_budget_(pipe_budget),
      liveness_(0),
      traced_(traced) {
  log::set_level(traced_ ? log::Level::info : log::Level::error);
  if (traced_) kernel_.trace();
  seed_tls(seed);
  draw_setup();
  draw_faults();
  make_backends();
  make_routing();
  make_listeners();
  make_shards();
  make_checker();
  plan_clients();
  plan_supervisor();
}

World::~World() { set_assert_context(nullptr); }

Tally World::run() {
  std::size_t running = shards_.size();
  while (running > 0) {
    const std::size_t next = random_.below(shards_.size() + (checker_ ? 1 : 0));
    if (next == shards_.size()) {
      turn_checker();
      continue;
    }
    if (shards_[next] == nullptr) continue;
    turn(next);
    if (shards_[next] == nullptr) --running;
    check_turn();
  }
  check_verdicts();
  checker_.reset();
  kernel_.run_for(patience);  // the remote ends learn what is left to learn
  if (traced_) describe();
  for (const auto& counters : counters_) tally_.handed_over += counters->handed_over.get();
  check_end();
  return tally_;
}

void World::turn(std::size_t index) {
  context_ = fmt::format("seed {:#x} turn {}", seed_, ++tally_.turns);
  set_assert_context(context_.c_str());
  const AllocationCount allocations;
  auto goes_on = shards_[index]->turn();
  PENSTOCK_ASSERT(goes_on.has_value());
  // An engine is made for each TLS session; nothing else of ours allocates while serving.
  PENSTOCK_ASSERT(allocations.value() == 0 || setup_.tls || setup_.backend_tls);
  while (const auto record = records_[index]->pop()) take_record(*record);
  if (*goes_on) return;
  PENSTOCK_ASSERT(stopping_ && shards_[index]->listeners_released());
  shards_[index].reset();  // asserts that nothing is left
  close_listeners(index);
}

void World::turn_checker() {
  context_ = fmt::format("seed {:#x} turn {} of the checker", seed_, ++tally_.turns);
  set_assert_context(context_.c_str());
  const bool goes_on = checker_->turn();
  PENSTOCK_ASSERT(goes_on);
}

/// The supervisor's part after a shard has given its listeners back.
void World::close_listeners(std::size_t shard) {
  for (const int fd : listeners_[shard]) {
    PENSTOCK_ASSERT(cut_ || kernel_.queued(fd) == 0);  // whoever was queued has been served
    kernel_.close(fd);
  }
  const bool last = std::ranges::all_of(shards_, [](const auto& each) { return each == nullptr; });
  if (last) kernel_.close(unix_listener_);
}

void World::serve(Backend& backend) {
  Network& network = kernel_.network();
  network.set_answer(backend.at, answer_of(backend.mood));
  const bool serves = backend.mood == Mood::serves;
  if (serves == (backend.listener != nullptr)) return;
  if (!serves) {
    network.close_listener(*std::exchange(backend.listener, nullptr));
    return;
  }
  backend.listener = &network.listen(backend.at, 4096, [this, &backend](Stream& stream) {
    Script script = draw_script(false, setup_.backend_tls);
    script.check_answer = backend.check_answer;
    add_end(stream, script, false).start();
  });
}

void World::push_liveness() {
  pushed_.emplace_back(kernel_.now(), liveness_);
  for (const auto& shard : shards_) {
    if (shard != nullptr) shard->push_liveness(std::make_unique<balance::Liveness>(liveness_));
  }
}

void World::connect(Client& client) {
  if (client.to.is_unix()) {
    const auto [stream, result] = kernel_.network().connect_unix(client.to);
    client.refused = result != 0;
    if (client.refused) return;
    client.end = &add_end(*stream, draw_script(true, false), true);
    return client.end->start();
  }
  kernel_.network().dial(client.from, client.to, [this, &client](Dial& dial) {
    client.refused = dial.result != 0;
    if (client.refused) return;
    client.connected = kernel_.now();
    client.end = &add_end(*dial.stream, draw_script(true, client.to_tls), true);
    client.end->start();
  });
}

RemoteEnd& World::add_end(Stream& stream, const Script& script, bool is_client) {
  const std::uint64_t id = ends_.size() + 1;
  ends_.push_back(std::make_unique<RemoteEnd>(kernel_.network(), stream, id, script));
  is_client_.push_back(is_client);
  if (calm_) ends_.back()->cooperate();
  return *ends_.back();
}

/// Nothing goes wrong any more: now every session has to come to its end.
void World::calm_down() {
  calm_ = true;
  kernel_.set_faults({});
  for (const auto& end : ends_) end->cooperate();
}

void World::set_shortage(bool begins) {
  if (calm_ || stopping_) return;
  Faults faults = kernel_.faults();
  faults.accept_out_of_files = begins ? 1 : 0;
  kernel_.set_faults(faults);
}

void World::stop_accepting() {
  if (std::exchange(stopping_, true)) return;
  if (setup_.faulty && !calm_) {  // descriptors run out just when the queues are to be emptied
    Faults faults = kernel_.faults();
    faults.accept_out_of_files = 0.5;
    kernel_.set_faults(faults);
  }
  for (const auto& own : listeners_) {
    for (const int fd : own) kernel_.drop_new_connections(fd);
  }
  for (const auto& shard : shards_) shard->stop_accepting();
}

void World::take_record(const stats::SessionRecord& record) {
  ++tally_.of(record.reason);
  tally_.tries += record.tries;
  tally_.bytes += record.bytes_in + record.bytes_out;
  check_record(record);
  const auto client = std::ranges::find_if(clients_, [&](const Client& each) {
    return record.client.is_ip() && each.from == record.client;
  });
  if (client == clients_.end()) return;  // over a unix socket, or reset before it was accepted
  PENSTOCK_ASSERT(!client->record);      // one record each
  client->record = record;
  client->began = kernel_.timeline().now() - record.duration;
  if (record.reason == stats::CloseReason::idle_timeout) check_idle(*client);
}

void World::check_turn() {
  PENSTOCK_ASSERT(process_sessions_.load() <= setup_.max_connections);
  std::uint64_t active = 0;
  for (const auto& counters : counters_) {
    for (const auto& listener : counters->listener) active += listener.active.get();
  }
  PENSTOCK_ASSERT(active <= setup_.max_connections);
  check_inboxes();
  if (kernel_.now() - flow_checked_ >= flow_interval) check_flow();
  const Duration dialling = setup_.connect_timeout * setup_.connect_tries;
  const auto rounds = static_cast<int>(setup_.clients / setup_.max_connections);
  const Instant end = calm_at_ + patience + dialling * rounds;
  const bool in_time = tally_.turns < turn_limit && kernel_.now() < end;
  if (!in_time) describe();
  PENSTOCK_ASSERT(in_time);
}

void World::describe() {
  fmt::print("calm since {} ms; sessions {}, stopping {}, cut {}\n",
             (kernel_.now() - calm_at_) / 1ms, process_sessions_.load(), stopping_, cut_);
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    fmt::print("shard {}: {}, parked {}\n", i, shards_[i] == nullptr ? "gone" : "runs",
               counters_[i]->parked.get());
  }
  for (const auto& end : ends_) {
    fmt::print("{} {} with {}: sent {}{}, arrived {}{}, received {}{}, error {}{}{}\n",
               is_client_[end->id() - 1] ? "client" : "backend", end->id(), end->peer_id(),
               end->sent(), end->fin_sent() ? " FIN" : "", end->stream().arrived(),
               end->stream().fin_arrived() ? " FIN" : "", end->received(),
               end->fin_seen() ? " FIN" : "", end->error(), end->left() ? ", left" : "",
               end->done() ? "" : ", goes on");
  }
  for (const Client& client : clients_) {
    if (client.end == nullptr || !client.record) continue;
    fmt::print("client {}: {} after {} ms, {} tries, {} in, {} out\n", client.end->id(),
               stats::info(client.record->reason).name, client.record->duration / 1ms,
               client.record->tries, client.record->bytes_in, client.record->bytes_out);
  }
}

}  // namespace penstock::sim
