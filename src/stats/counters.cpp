// Sums the shards' counters and lays them out as JSON. Runs on the supervisor's thread while the
// shards go on counting, so figures that belong together may differ by what happened in between.
#include "penstock/stats/counters.h"

#include <string_view>

namespace penstock::stats {
namespace {

using Shards = std::span<const std::unique_ptr<ShardCounters>>;
using ClosedSums = std::array<std::uint64_t, close_reason_count>;

struct ListenerSums {
  std::uint64_t accepted = 0;
  std::uint64_t active = 0;
  ClosedSums closed{};
  std::array<std::uint64_t, tls::handshake_faults.size()> handshake_faults{};
};

void add(ClosedSums& sums, const ClosedCounters& counters) noexcept {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += counters[i].get();
}
void add(ClosedSums& sums, const ClosedSums& more) noexcept {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += more[i];
}

Json closed_json(const ClosedSums& sums) {
  Json closed = Json::object();
  for (const CloseReasonInfo& reason : close_reasons) {
    const std::uint64_t count = sums[static_cast<std::size_t>(reason.reason)];
    if (count > 0) closed[std::string(reason.name)] = count;
  }
  return closed;
}

std::uint64_t sum(Shards shards, Counter ShardCounters::* counter) noexcept {
  std::uint64_t total = 0;
  for (const auto& shard : shards) total += ((*shard).*counter).get();
  return total;
}

// A shard that was started before the name existed has no counters for it: it counts as zero.
ListenerSums listener_sums(Shards shards, std::size_t listener) noexcept {
  ListenerSums sums;
  for (const auto& shard : shards) {
    if (listener >= shard->listener.size()) continue;
    const ListenerCounters& counters = shard->listener[listener];
    sums.accepted += counters.accepted.get();
    sums.active += counters.active.get();
    add(sums.closed, counters.closed);
    for (std::size_t i = 0; i < sums.handshake_faults.size(); ++i)
      sums.handshake_faults[i] += counters.handshake_faults[i].get();
  }
  return sums;
}

Json backend_json(Shards shards, std::size_t backend) {
  std::uint64_t connections = 0;
  std::uint64_t failed_connects = 0;
  std::uint64_t active = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  ClosedSums closed{};
  for (const auto& shard : shards) {
    if (backend >= shard->backend.size()) continue;
    const BackendCounters& counters = shard->backend[backend];
    connections += counters.connections.get();
    failed_connects += counters.failed_connects.get();
    active += counters.active.get();
    bytes_in += counters.bytes_in.get();
    bytes_out += counters.bytes_out.get();
    add(closed, counters.closed);
  }
  Json json = Json::object();
  json["connections"] = connections;
  json["failed_connects"] = failed_connects;
  json["active"] = active;
  json["bytes_in"] = bytes_in;
  json["bytes_out"] = bytes_out;
  json["closed"] = closed_json(closed);
  return json;
}

Json sessions_json(const ListenerSums& all, std::uint64_t parked) {
  Json json = Json::object();
  json["accepted"] = all.accepted;
  json["active"] = all.active;
  json["parked"] = parked;
  json["closed"] = closed_json(all.closed);
  return json;
}

Json listener_json(const ListenerSums& sums) {
  Json json = Json::object();
  json["accepted"] = sums.accepted;
  json["active"] = sums.active;
  json["closed"] = closed_json(sums.closed);
  Json faults = Json::object();
  for (const tls::HandshakeFaultInfo& each : tls::handshake_faults) {
    const std::uint64_t count = sums.handshake_faults[static_cast<std::size_t>(each.fault)];
    if (count > 0) faults[std::string(each.name)] = count;
  }
  json["handshake_faults"] = std::move(faults);
  return json;
}

/// How evenly the sessions are spread.
Json shards_json(Shards shards) {
  Json list = Json::array();
  for (const auto& shard : shards) {
    std::uint64_t active = 0;
    for (const ListenerCounters& listener : shard->listener) active += listener.active.get();
    Json json = Json::object();
    json["active"] = active;
    json["handed_over"] = shard->handed_over.get();
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace

Json to_json(Shards shards, const Names& names) {
  ListenerSums all;
  Json listeners = Json::object();
  for (std::size_t i = 0; i < names.listeners.size(); ++i) {
    const ListenerSums sums = listener_sums(shards, i);
    all.accepted += sums.accepted;
    all.active += sums.active;
    add(all.closed, sums.closed);
    listeners[names.listeners[i]] = listener_json(sums);
  }
  Json backends = Json::object();
  for (std::size_t i = 0; i < names.backends.size(); ++i) {
    backends[names.backends[i]] = backend_json(shards, i);
  }
  Json faults = Json::object();
  faults["accept_errors"] = sum(shards, &ShardCounters::accept_errors);
  faults["buffer_shortages"] = sum(shards, &ShardCounters::buffer_shortages);
  faults["records_dropped"] = sum(shards, &ShardCounters::records_dropped);

  Json splice = Json::object();
  splice["begun"] = sum(shards, &ShardCounters::splices);
  splice["ended"] = sum(shards, &ShardCounters::splices_ended);
  splice["pipes_refused"] = sum(shards, &ShardCounters::pipes_refused);

  Json json = Json::object();
  json["sessions"] = sessions_json(all, sum(shards, &ShardCounters::parked));
  json["listeners"] = std::move(listeners);
  json["backends"] = std::move(backends);
  json["faults"] = std::move(faults);
  json["splice"] = std::move(splice);
  json["shards"] = shards_json(shards);
  json["receives"] = sum(shards, &ShardCounters::receives);
  json["turns"] = sum(shards, &ShardCounters::turns);
  return json;
}

}  // namespace penstock::stats
