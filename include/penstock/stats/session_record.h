// SessionRecord: what is told of a session when it ends, and the ring through which a shard hands
// records to the log writer. A record is plain data of fixed size: the shard copies it and goes on;
// when the reader is slow it is dropped and counted.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "penstock/base/ids.h"
#include "penstock/base/json.h"
#include "penstock/net/endpoint.h"
#include "penstock/stats/bounded_ring.h"
#include "penstock/stats/close_reason.h"
#include "penstock/stats/counters.h"
#include "penstock/stats/fixed_text.h"
#include "penstock/time/instant.h"

namespace penstock::stats {

struct SessionRecord {
  Endpoint client;
  ListenerId listener{};
  std::optional<BackendId> backend;
  CloseReason reason = CloseReason::finished;
  std::uint64_t bytes_in = 0;   ///< client to backend
  std::uint64_t bytes_out = 0;  ///< backend to client
  Duration duration{};          ///< from accept to the end
  Duration connect_time{};      ///< from the first dial to the connection; zero when there was none
  std::uint32_t tries = 0;      ///< backends dialled
  bool tls = false;
  std::string_view tls_version{};  ///< "1.3"; a literal
  FixedText<64> server_name{};     ///< that the client asked for; empty: none, or nobody looked
  FixedText<64> client_name{};     ///< in its verified certificate; empty: none
};

/// One JSON object for the access log; "backend" is null for a session that never had one. The log
/// writer adds the time.
[[nodiscard]] Json to_json(const SessionRecord& record, const Names& names);

/// From a shard to the log writer.
using RecordRing = BoundedRing<SessionRecord>;

}  // namespace penstock::stats
