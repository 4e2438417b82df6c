// SessionRecord's JSON, and RecordRing: bounded, in order, and safe between two threads.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "penstock/stats/session_record.h"

namespace penstock::stats {
namespace {

const Names log_names{.listeners = {"web", "https"}, .backends = {"app/a", "app/big"}};

SessionRecord numbered(std::uint64_t number) {
  SessionRecord record;
  record.bytes_in = number;
  record.bytes_out = ~number;
  return record;
}

TEST_CASE("a session's record has every field of the access log", "[stats]") {
  SessionRecord record;
  record.client = Endpoint::parse("10.1.2.3:40000").value();
  record.listener = ListenerId{1};
  record.backend = BackendId{1};
  record.reason = CloseReason::backend_reset;
  record.bytes_in = 78;
  record.bytes_out = 1048576;
  record.duration = 1500ms + 250us;
  record.connect_time = 300us + 400ns;
  record.tries = 2;
  record.tls = true;
  record.tls_version = "1.3";
  record.server_name = FixedText<64>("www.example.com");
  CHECK(to_json(record, log_names).dump() ==
        R"({"client":"10.1.2.3:40000","listener":"https","backend":"app/big",)"
        R"("reason":"backend_reset","termination":"SD","bytes_in":78,"bytes_out":1048576,)"
        R"("duration_ms":1500.25,"connect_ms":0.3,"tries":2,"tls":true,"tls_version":"1.3",)"
        R"("server_name":"www.example.com","client_name":null})");
}

TEST_CASE("a session that never had a backend says so with null", "[stats]") {
  SessionRecord record;
  record.client = Endpoint::parse("[::1]:7").value();
  record.reason = CloseReason::no_backend;
  const Json json = to_json(record, log_names);
  CHECK(json["client"] == "[::1]:7");
  CHECK(json["backend"].is_null());
  CHECK(json["termination"] == "SC");
  CHECK(json["connect_ms"] == 0.0);
}

TEST_CASE("an empty ring has nothing to give", "[stats]") {
  RecordRing ring(4);
  CHECK_FALSE(ring.pop().has_value());
}

TEST_CASE("a full ring refuses a record and keeps those that it has", "[stats]") {
  RecordRing ring(4);
  for (std::uint64_t i = 0; i < 4; ++i) REQUIRE(ring.push(numbered(i)));
  CHECK_FALSE(ring.push(numbered(99)));
  for (std::uint64_t i = 0; i < 4; ++i) CHECK(ring.pop().value().bytes_in == i);
  CHECK_FALSE(ring.pop().has_value());
}

TEST_CASE("a ring keeps the order across its end", "[stats]") {
  RecordRing ring(4);
  std::uint64_t pushed = 0;
  std::uint64_t popped = 0;
  while (pushed < 30) {
    for (int i = 0; i < 3; ++i) REQUIRE(ring.push(numbered(pushed++)));
    for (int i = 0; i < 3; ++i) REQUIRE(ring.pop().value().bytes_in == popped++);
  }
  CHECK_FALSE(ring.pop().has_value());
}

TEST_CASE("a reader on another thread gets every record that was taken, whole and in order",
          "[stats]") {
  constexpr std::uint64_t records = 200'000;
  RecordRing ring(64);
  std::atomic<std::uint64_t> torn = 0;
  std::atomic<std::uint64_t> misplaced = 0;
  std::thread reader([&] {
    for (std::uint64_t expected = 0; expected < records;) {
      const std::optional<SessionRecord> record = ring.pop();
      if (!record) {
        std::this_thread::yield();
        continue;
      }
      if (record->bytes_out != ~record->bytes_in) ++torn;
      if (record->bytes_in != expected) ++misplaced;
      ++expected;
    }
  });
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < records;) {
    if (ring.push(numbered(i))) {
      ++i;
    } else {
      ++refused;
      std::this_thread::yield();
    }
  }
  reader.join();
  CAPTURE(refused);
  CHECK(torn == 0);
  CHECK(misplaced == 0);
  CHECK_FALSE(ring.pop().has_value());
}

}  // namespace
}  // namespace penstock::stats
