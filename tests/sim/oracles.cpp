// What has to hold of every session, judged from outside: by what the two remote ends sent,
// received and were told, and by the one record that the session left.
#include <algorithm>
#include <cerrno>

#include "world.h"

namespace penstock::sim {
namespace {

using stats::CloseReason;

/// Reasons that only come from a client or backend that left, and those that need neither.
bool is_connect_failure(CloseReason reason) noexcept {
  return reason == CloseReason::no_backend || reason == CloseReason::connect_refused ||
         reason == CloseReason::connect_unreachable || reason == CloseReason::connect_timeout ||
         reason == CloseReason::connect_failed || reason == CloseReason::backend_handshake_failed;
}

bool is_of_tls(CloseReason reason) noexcept {
  return reason == CloseReason::client_truncated || reason == CloseReason::handshake_timeout ||
         reason == CloseReason::handshake_failed || reason == CloseReason::tls_error;
}

bool is_of_backend_tls(CloseReason reason) noexcept {
  return reason == CloseReason::backend_handshake_failed ||
         reason == CloseReason::backend_truncated || reason == CloseReason::backend_tls_error;
}

/// A session ends like that before a backend is connected.
bool may_lack_backend(CloseReason reason) noexcept {
  return reason == CloseReason::client_gone || reason == CloseReason::shutdown ||
         reason == CloseReason::handshake_timeout || reason == CloseReason::handshake_failed;
}

/// Longest from a byte that was moved to the moment that the shard takes for now.
constexpr Duration clock_slack = 100ms;

/// What can be done has been done by then.
constexpr Duration soon = 200ms;

}  // namespace

/// The reason is possible at all, and the backend is the one that the hash gives.
void World::check_record(const stats::SessionRecord& record) {
  const CloseReason reason = record.reason;
  PENSTOCK_ASSERT(record.tries <= static_cast<std::uint32_t>(setup_.connect_tries));
  PENSTOCK_ASSERT(is_connect_failure(reason) != record.backend.has_value() ||
                  may_lack_backend(reason));
  PENSTOCK_ASSERT(reason != CloseReason::shutdown || cut_);
  PENSTOCK_ASSERT(reason != CloseReason::idle_timeout || record.duration >= setup_.idle_timeout);
  PENSTOCK_ASSERT(reason != CloseReason::no_backend || setup_.flapping || setup_.health);
  PENSTOCK_ASSERT(reason != CloseReason::overload && reason != CloseReason::internal_error);
  PENSTOCK_ASSERT(!is_of_tls(reason) || record.tls);
  PENSTOCK_ASSERT(!is_of_backend_tls(reason) || setup_.backend_tls);
  if (reason == CloseReason::handshake_timeout) {
    const Duration limit = setup_.handshake_timeout;
    PENSTOCK_ASSERT(record.tries == 0 && !record.backend && record.duration >= limit &&
                    record.duration <= limit + clock_slack);
  }
  if (record.backend && record.client.is_ip()) check_choice(record);
}

/// The backend is the one that hashing gives, after those tried before it, by a liveness that was
/// current while it was chosen. While that changes, only a first choice can be foretold.
void World::check_choice(const stats::SessionRecord& record) {
  const auto key = balance::key_of(record.client, setup_.hash_key, 0, routing_.hash_seed);
  const Instant began = kernel_.now() - record.duration - 100ms;
  std::size_t current = 0;
  bool chosen = false;
  for (std::size_t i = 0; i < pushed_.size(); ++i) {
    const bool over_by_then = i + 1 < pushed_.size() && pushed_[i + 1].first < began;
    if (over_by_then) continue;
    ++current;
    chosen = chosen || choice(key, pushed_[i].second, record.tries) == record.backend;
  }
  PENSTOCK_ASSERT(chosen || (record.tries > 1 && current > 1));
}

/// No connection waits for long to be taken by the shard that it was handed over to, and none is
/// left when that has ended.
void World::check_inboxes() {
  for (std::size_t i = 0; i < inboxes_.size(); ++i) {
    inbox_since_[i] = inboxes_[i]->empty() ? never : std::min(inbox_since_[i], kernel_.now());
    PENSTOCK_ASSERT(inbox_since_[i] == never || kernel_.now() - inbox_since_[i] < soon);
    PENSTOCK_ASSERT(shards_[i] != nullptr || inboxes_[i]->empty());
  }
}

/// No byte lies about in production's kernel that could be handed on.
void World::check_flow() {
  flow_checked_ = kernel_.now();
  if (setup_.backend_tls) return;
  for (const Client& client : clients_) {
    if (client.end == nullptr || client.end->is_tls() || client.end->garbage()) continue;
    for (const RemoteEnd* server : servers_of(*client.end)) {
      const Stream& front = client.end->stream().peer();
      const Stream& back = server->stream().peer();
      check_flow(front, back);
      check_flow(back, front);
    }
  }
}

void World::check_flow(const Stream& from, const Stream& to) const {
  if (from.is_unix() || to.is_unix()) return;  // what is acknowledged there is another matter
  if (!from.held() || !to.held() || from.dead() || to.dead()) return;
  const Instant possible = std::max(from.waiting_since(), to.drained_at());
  PENSTOCK_ASSERT(possible == never || kernel_.timeline().now() - possible < soon);
}

/// Whether the session was as idle as it was said to be: no byte passed production's sockets.
void World::check_idle(const Client& client) const {
  const Instant began = kernel_.timeline().now() - client.record->duration;
  Instant last = began;
  if (client.end != nullptr) last = std::max(last, client.end->stream().peer().last_moved());
  for (const RemoteEnd* server :
       client.end != nullptr ? servers_of(*client.end) : std::vector<const RemoteEnd*>{}) {
    last = std::max(last, server->stream().peer().last_moved());
  }
  PENSTOCK_ASSERT(kernel_.timeline().now() - last >= setup_.idle_timeout - clock_slack);
}

/// Whoever connects while there is room is let in soon, and a TLS session reaches its backend
/// within the time that its handshake has.
void World::check_times(const Client& client) const {
  const bool room_for_all = setup_.clients <= setup_.max_connections;
  PENSTOCK_ASSERT(!room_for_all || client.began - client.connected < 1500ms);
  if (!client.record->tls || client.record->tries != 1) return;
  for (const RemoteEnd* server : servers_of(*client.end)) {
    PENSTOCK_ASSERT(server->born() - client.began <=
                    setup_.handshake_timeout + setup_.connect_timeout + clock_slack);
  }
}

/// The backend of the last of `tries`.
std::optional<BackendId> World::choice(balance::Key key, const balance::Liveness& liveness,
                                       std::uint32_t tries) const {
  std::vector<BackendId> tried;
  std::optional<BackendId> picked;
  for (std::uint32_t i = 0; i < tries; ++i) {
    picked = routing_.pools[0].table->pick(key, liveness, tried);
    if (!picked) return picked;
    tried.push_back(*picked);
  }
  return picked;
}

void World::check_end() {
  PENSTOCK_ASSERT(process_sessions_.load() == 0);
  PENSTOCK_ASSERT(kernel_.open_descriptors() == 0);
  check_ends();
  for (const Client& client : clients_) {
    if (client.end != nullptr) check_session(client);
  }
  check_counters();
  check_accept_errors();
  check_dials();
}

/// Every remote end has heard of its end, and knows at most one partner.
void World::check_ends() {
  for (const auto& end : ends_) {
    PENSTOCK_ASSERT(end->done());
    PENSTOCK_ASSERT(!end->is_check() || (setup_.health && !is_client_[end->id() - 1]));
    if (end->peer_id() == 0) continue;
    PENSTOCK_ASSERT(end->peer_id() <= ends_.size());
    PENSTOCK_ASSERT(is_client_[end->peer_id() - 1] != is_client_[end->id() - 1]);
    const RemoteEnd& peer = *ends_[end->peer_id() - 1];
    PENSTOCK_ASSERT(peer.peer_id() == 0 || peer.peer_id() == end->id());
    PENSTOCK_ASSERT(end->received() <= peer.sent());
  }
}

/// The backends' ends that heard this client, or that it heard.
std::vector<const RemoteEnd*> World::servers_of(const RemoteEnd& client) const {
  std::vector<const RemoteEnd*> servers;
  for (const auto& end : ends_) {
    if (is_client_[end->id() - 1]) continue;
    if (end->peer_id() == client.id() || client.peer_id() == end->id())
      servers.push_back(end.get());
  }
  return servers;
}

/// A FIN means that all has come: whoever saw one got everything, and the other end did send one.
void World::check_streams(const RemoteEnd& from, const RemoteEnd& to) const {
  if (!to.fin_seen() || to.stream().is_unix()) return;  // a unix socket has no RST to tell apart
  PENSTOCK_ASSERT(from.fin_sent() || (from.left() && from.end_arrived()));
  PENSTOCK_ASSERT(to.received() == from.sent());
}

void World::check_session(const Client& client) {
  const auto servers = servers_of(*client.end);
  PENSTOCK_ASSERT(servers.size() <= 1);  // never a byte to a second backend
  if (servers.empty()) {                 // too few bytes to tell who served it, or nobody did
    const bool had_none = client.record && !client.record->backend;
    PENSTOCK_ASSERT(!had_none || client.end->stream().is_unix() || !client.end->fin_seen() ||
                    client.record->reason == CloseReason::handshake_failed);
    if (client.record && client.record->reason == CloseReason::handshake_failed) {
      PENSTOCK_ASSERT(client.end->garbage() || client.end->corrupted());
    }
    return;
  }
  const RemoteEnd& front = *client.end;
  const RemoteEnd& back = *servers.front();
  check_streams(front, back);
  check_streams(back, front);
  if (!client.record) return;
  check_times(client);
  switch (client.record->reason) {
    case CloseReason::finished:
      PENSTOCK_ASSERT(front.end_arrived() && back.end_arrived());
      PENSTOCK_ASSERT(back.left() || back.error() != 0 || back.received() == front.sent());
      PENSTOCK_ASSERT(front.left() || front.error() != 0 || front.received() == back.sent());
      PENSTOCK_ASSERT(client.record->bytes_in == front.sent() || front.left());
      PENSTOCK_ASSERT(client.record->bytes_out == back.sent() || back.left());
      break;
    case CloseReason::client_reset:
      PENSTOCK_ASSERT(front.left());
      check_reset(client, front, back);
      break;
    case CloseReason::backend_reset:
      PENSTOCK_ASSERT(back.left());
      check_reset(client, back, front);
      break;
    case CloseReason::client_timeout:
      PENSTOCK_ASSERT(front.vanished());
      break;
    case CloseReason::backend_timeout:
      PENSTOCK_ASSERT(back.vanished());
      break;
    case CloseReason::client_truncated:
      if (front.corrupted()) break;  // the length of a record: the rest of it never came
      PENSTOCK_ASSERT(front.left() && front.is_tls() && front.stream().fin_arrived());
      check_reset(client, front, back);
      break;
    case CloseReason::backend_truncated:
      if (back.corrupted()) break;
      PENSTOCK_ASSERT(back.left() && back.is_tls() && back.stream().fin_arrived());
      check_reset(client, back, front);
      break;
    case CloseReason::backend_tls_error:
      PENSTOCK_ASSERT(back.corrupted());
      PENSTOCK_ASSERT(front.left() || front.stream().is_unix() || !front.fin_seen());
      break;
    case CloseReason::tls_error:
      PENSTOCK_ASSERT(front.corrupted());
      PENSTOCK_ASSERT(back.left() || back.stream().is_unix() || !back.fin_seen());
      break;
    case CloseReason::client_gone:
      PENSTOCK_ASSERT(front.left());
      break;
    default:
      break;
  }
}

/// One end has reset; the other one is there, so it has got all that arrived here before the reset,
/// then a reset of its own.
void World::check_reset(const Client& client, const RemoteEnd& gone, const RemoteEnd& stayed) {
  if (stayed.left() || cut_ || client.record->duration > setup_.idle_timeout) return;
  constexpr Duration patience = 5s;  // of a session with a peer that acknowledges nothing
  if (stayed.was_silent() && client.record->duration > patience) return;
  PENSTOCK_ASSERT(stayed.received() == gone.arrived());
  if (stayed.stream().is_unix() || gone.end_arrived()) return;
  PENSTOCK_ASSERT(!stayed.fin_seen() && stayed.error() != 0);
}

/// Once nothing changes any more, the checker comes to know which backends are there.
void World::check_verdicts() {
  if (!checker_) return;
  calm_down();
  const config::Health& health = *setup_.health;
  const Duration limit =
      (health.interval * 11 / 10 + health.timeout + 1s) * (health.rise + health.fall + 1);
  for (const Instant until = kernel_.now() + limit; kernel_.now() < until;) turn_checker();
  for (std::uint32_t i = 0; i < backends_.size(); ++i) {
    const bool answers =
        health.type == config::HealthType::tcp || backends_[i].check_answer == CheckAnswer::passes;
    const bool up = backends_[i].mood == Mood::serves && answers;
    // Four times across the wire and the pace of the far end: what takes longer may fail.
    const bool in_time = health.timeout > kernel_.network().wire().latency_max * 5 + 20ms;
    PENSTOCK_ASSERT(liveness_.alive(BackendId{i}) == up ||
                    (up && (!in_time || setup_.backend_tls)));  // a handshake may trickle
  }
}

/// Accepting backs off when it fails: it is tried ten times a second, not in a busy loop.
void World::check_accept_errors() {
  std::uint64_t errors = 0;
  for (const auto& counters : counters_) errors += counters->accept_errors.get();
  const auto pauses = static_cast<std::uint64_t>(setup_.active_time / 100ms + 3);
  PENSTOCK_ASSERT(errors <= clients_.size() + setup_.shards * 2 * pauses);
}

/// Every dial that a record tells of was counted as one that came off or one that did not, but for
/// those that were broken off: by a cut, or because a TLS client was found gone while it was
/// dialled for.
void World::check_dials() {
  if (cut_) return;
  std::uint64_t dials = 0;
  for (const auto& counters : counters_) {
    for (const auto& backend : counters->backend) {
      dials += backend.connections.get() + backend.failed_connects.get();
    }
  }
  PENSTOCK_ASSERT(dials <= tally_.tries);
  PENSTOCK_ASSERT(tally_.tries - dials <= tally_.of(CloseReason::client_gone));
}

void World::check_counters() {
  Tally closed_by_reason;
  for (const auto& counters : counters_) {
    PENSTOCK_ASSERT(counters->parked.get() == 0 && counters->records_dropped.get() == 0);
    for (const auto& listener : counters->listener) {
      std::uint64_t closed = 0;
      for (std::size_t i = 0; i < stats::close_reason_count; ++i) {
        closed += listener.closed[i].get();
        closed_by_reason.reasons[i] += listener.closed[i].get();
      }
      PENSTOCK_ASSERT(listener.active.get() == 0 && listener.accepted.get() == closed);
      std::uint64_t explained = 0;
      for (const auto& counter : listener.handshake_faults) explained += counter.get();
      const auto closed_as = [&](CloseReason reason) {
        return listener.closed[static_cast<std::size_t>(reason)].get();
      };
      PENSTOCK_ASSERT(explained == closed_as(CloseReason::handshake_failed) +
                                       closed_as(CloseReason::handshake_timeout));
    }
    for (const auto& backend : counters->backend) {
      std::uint64_t closed = 0;
      for (const auto& counter : backend.closed) closed += counter.get();
      PENSTOCK_ASSERT(backend.active.get() == 0 && backend.connections.get() == closed);
    }
  }
  for (const stats::CloseReasonInfo& each : stats::close_reasons) {
    // Connections refused at the end are counted without having been sessions.
    const bool extra = each.reason == CloseReason::shutdown;
    const std::uint64_t counted = closed_by_reason.of(each.reason);
    PENSTOCK_ASSERT(extra ? tally_.of(each.reason) <= counted : tally_.of(each.reason) == counted);
  }
}

}  // namespace penstock::sim
