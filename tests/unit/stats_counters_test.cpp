// Counters: the sums over shards and their JSON, whose layout operators' scripts rely on.
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <vector>

#include "penstock/stats/counters.h"

namespace penstock::stats {
namespace {

Counter& of(ClosedCounters& closed, CloseReason reason) {
  return closed[static_cast<std::size_t>(reason)];
}

const Names counter_names{.listeners = {"web", "unused"}, .backends = {"app/a", "app/b"}};

std::vector<std::unique_ptr<ShardCounters>> two_shards() {
  std::vector<std::unique_ptr<ShardCounters>> shards;
  shards.push_back(std::make_unique<ShardCounters>(2, 2));
  shards.push_back(std::make_unique<ShardCounters>(2, 2));
  return shards;
}

TEST_CASE("a process that has done nothing prints every figure as zero", "[stats]") {
  const std::vector<std::unique_ptr<ShardCounters>> shards = two_shards();
  CHECK(to_json(shards, {.listeners = {"web"}, .backends = {"app/a"}}).dump() ==
        R"({"sessions":{"accepted":0,"active":0,"parked":0,"closed":{}},)"
        R"("listeners":{"web":{"accepted":0,"active":0,"closed":{},"handshake_faults":{}}},)"
        R"("backends":{"app/a":{"connections":0,"failed_connects":0,"active":0,"bytes_in":0,)"
        R"("bytes_out":0,"closed":{}}},)"
        R"("faults":{"accept_errors":0,"buffer_shortages":0,"records_dropped":0},)"
        R"("splice":{"begun":0,"ended":0,"pipes_refused":0},)"
        R"("shards":[{"active":0,"handed_over":0},{"active":0,"handed_over":0}],)"
        R"("receives":0,"turns":0})");
}

TEST_CASE("figures of a listener and of the sessions are sums over shards and listeners",
          "[stats]") {
  const auto shards = two_shards();
  shards[0]->listener[0].accepted.add(5);
  shards[1]->listener[0].accepted.add(2);
  shards[1]->listener[1].accepted.add(10);
  shards[0]->listener[0].active.add(3);
  shards[0]->listener[0].active.subtract(1);
  of(shards[0]->listener[0].closed, CloseReason::finished).add(3);
  of(shards[1]->listener[0].closed, CloseReason::finished).add(1);
  of(shards[1]->listener[1].closed, CloseReason::idle_timeout).add(4);
  shards[0]->parked.add(1);
  shards[1]->parked.add(1);

  const Json json = to_json(shards, counter_names);
  CHECK(json["listeners"]["web"].dump() ==
        R"({"accepted":7,"active":2,"closed":{"finished":4},"handshake_faults":{}})");
  CHECK(json["listeners"]["unused"].dump() ==
        R"({"accepted":10,"active":0,"closed":{"idle_timeout":4},"handshake_faults":{}})");
  CHECK(json["sessions"].dump() ==
        R"({"accepted":17,"active":2,"parked":2,"closed":{"finished":4,"idle_timeout":4}})");
}

TEST_CASE("figures of a backend are sums over shards under its pool and name", "[stats]") {
  const auto shards = two_shards();
  for (const auto& shard : shards) {
    BackendCounters& backend = shard->backend[1];
    backend.connections.add(1);
    backend.failed_connects.add(2);
    backend.active.add(3);
    backend.bytes_in.add(4);
    backend.bytes_out.add(std::uint64_t{1} << 40);
    of(backend.closed, CloseReason::backend_reset).add(6);
  }
  CHECK(to_json(shards, counter_names)["backends"]["app/b"].dump() ==
        R"({"connections":2,"failed_connects":4,"active":6,"bytes_in":8,)"
        R"("bytes_out":2199023255552,"closed":{"backend_reset":12}})");
}

TEST_CASE("faults and loop figures are summed each on its own", "[stats]") {
  const auto shards = two_shards();
  for (const auto& shard : shards) {
    shard->accept_errors.add(1);
    shard->buffer_shortages.add(2);
    shard->records_dropped.add(3);
    shard->receives.add(4);
    shard->turns.add(5);
    shard->splices.add(6);
    shard->splices_ended.add(7);
    shard->pipes_refused.add(8);
  }
  const Json json = to_json(shards, counter_names);
  CHECK(json["faults"].dump() == R"({"accept_errors":2,"buffer_shortages":4,"records_dropped":6})");
  CHECK(json["receives"] == 8);
  CHECK(json["turns"] == 10);
  CHECK(json["splice"].dump() == R"({"begun":12,"ended":14,"pipes_refused":16})");
}

TEST_CASE("a shard that is older than a name counts as zero for it", "[stats]") {
  std::vector<std::unique_ptr<ShardCounters>> shards;
  shards.push_back(std::make_unique<ShardCounters>(1, 1));
  shards[0]->listener[0].accepted.add(1);
  const Json json = to_json(shards, counter_names);
  CHECK(json["listeners"]["unused"]["accepted"] == 0);
  CHECK(json["backends"]["app/b"]["connections"] == 0);
  CHECK(json["sessions"]["accepted"] == 1);
}

TEST_CASE("every close reason has a name of its own, two letters and a phrase", "[stats]") {
  for (std::size_t i = 0; i < close_reason_count; ++i) {
    const CloseReasonInfo& reason = close_reasons[i];
    CAPTURE(reason.name);
    CHECK(static_cast<std::size_t>(reason.reason) == i);
    CHECK(reason.letters.size() == 2);
    CHECK(!reason.phrase.empty());
    for (std::size_t k = 0; k < i; ++k) CHECK(close_reasons[k].name != reason.name);
  }
}

}  // namespace
}  // namespace penstock::stats
