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
         reason == CloseReason::connect_failed;
}

}  // namespace

/// The reason is possible at all, and the backend is the one that the hash gives.
void World::check_record(const stats::SessionRecord& record) {
  const CloseReason reason = record.reason;
  PENSTOCK_ASSERT(record.tries <= static_cast<std::uint32_t>(setup_.connect_tries));
  PENSTOCK_ASSERT(is_connect_failure(reason) != record.backend.has_value() ||
                  reason == CloseReason::client_gone || reason == CloseReason::shutdown);
  PENSTOCK_ASSERT(reason != CloseReason::shutdown || cut_);
  PENSTOCK_ASSERT(reason != CloseReason::idle_timeout || record.duration >= setup_.idle_timeout);
  PENSTOCK_ASSERT(reason != CloseReason::no_backend || setup_.flapping);
  PENSTOCK_ASSERT(reason != CloseReason::overload && reason != CloseReason::internal_error);
  PENSTOCK_ASSERT(!record.tls && reason != CloseReason::client_truncated &&
                  reason != CloseReason::handshake_timeout &&
                  reason != CloseReason::handshake_failed && reason != CloseReason::tls_error);
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
  PENSTOCK_ASSERT(from.fin_sent() || (from.left() && from.stream().fin_arrived()));
  PENSTOCK_ASSERT(to.received() == from.sent());
}

void World::check_session(const Client& client) {
  const auto servers = servers_of(*client.end);
  PENSTOCK_ASSERT(servers.size() <= 1);  // never a byte to a second backend
  if (servers.empty()) {                 // too few bytes to tell who served it, or nobody did
    const bool had_none = client.record && is_connect_failure(client.record->reason);
    PENSTOCK_ASSERT(!had_none || client.end->stream().is_unix() || !client.end->fin_seen());
    return;
  }
  const RemoteEnd& front = *client.end;
  const RemoteEnd& back = *servers.front();
  check_streams(front, back);
  check_streams(back, front);
  if (!client.record) return;
  switch (client.record->reason) {
    case CloseReason::finished:
      PENSTOCK_ASSERT(front.stream().fin_arrived() && back.stream().fin_arrived());
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
  PENSTOCK_ASSERT(stayed.received() == gone.stream().arrived());
  if (stayed.stream().is_unix() || gone.stream().fin_arrived()) return;
  PENSTOCK_ASSERT(!stayed.fin_seen() && stayed.error() != 0);
}

/// Accepting backs off when it fails: it is tried ten times a second, not in a busy loop.
void World::check_accept_errors() {
  std::uint64_t errors = 0;
  for (const auto& counters : counters_) errors += counters->accept_errors.get();
  const auto pauses = static_cast<std::uint64_t>(setup_.active_time / 100ms + 3);
  PENSTOCK_ASSERT(errors <= clients_.size() + setup_.shards * 2 * pauses);
}

/// Every dial that a record tells of was counted as one that came off or one that did not.
void World::check_dials() {
  if (cut_) return;  // a dial that was cut short counts as neither
  std::uint64_t dials = 0;
  for (const auto& counters : counters_) {
    for (const auto& backend : counters->backend) {
      dials += backend.connections.get() + backend.failed_connects.get();
    }
  }
  PENSTOCK_ASSERT(dials == tally_.tries);
}

void World::check_counters() {
  std::map<std::string, std::uint64_t> closed_by_reason;
  for (const auto& counters : counters_) {
    PENSTOCK_ASSERT(counters->parked.get() == 0 && counters->records_dropped.get() == 0);
    for (const auto& listener : counters->listener) {
      std::uint64_t closed = 0;
      for (std::size_t i = 0; i < stats::close_reason_count; ++i) {
        closed += listener.closed[i].get();
        closed_by_reason[std::string(stats::close_reasons[i].name)] += listener.closed[i].get();
      }
      PENSTOCK_ASSERT(listener.active.get() == 0 && listener.accepted.get() == closed);
    }
    for (const auto& backend : counters->backend) {
      std::uint64_t closed = 0;
      for (const auto& counter : backend.closed) closed += counter.get();
      PENSTOCK_ASSERT(backend.active.get() == 0 && backend.connections.get() == closed);
    }
  }
  for (const auto& [reason, count] : closed_by_reason) {
    // Connections refused at the end are counted without having been sessions.
    PENSTOCK_ASSERT(reason == "shutdown" ? tally_.reasons[reason] <= count
                                         : tally_.reasons[reason] == count);
  }
}

}  // namespace penstock::sim
