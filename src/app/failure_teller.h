// FailureTeller: log lines about TLS handshakes that failed. Shards leave news in boxes and go on;
// the supervisor tells a few of them at a time, and how many there were besides, so that a flood of
// bad handshakes is no flood of lines.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/ids.h"
#include "penstock/stats/counters.h"
#include "penstock/stats/handshake_failure.h"
#include "penstock/time/instant.h"

namespace penstock::app {

class FailureTeller {
 public:
  /// `names` must outlive it.
  FailureTeller(const stats::Names& names, std::uint32_t shards);

  /// Where a shard leaves its news. Lives as long as the teller.
  [[nodiscard]] stats::FailureBox& box(ShardId shard) noexcept { return *boxes_[shard.value]; }
  /// When tell() has something to do; never: there is no news.
  [[nodiscard]] Instant due() const noexcept;
  /// Tells what there is, unless it is too early.
  void tell(Instant now);

 private:
  [[nodiscard]] std::string line_of(const stats::HandshakeFailure& failure) const;

  const stats::Names& names_;
  std::vector<std::unique_ptr<stats::FailureBox>> boxes_;
  Instant again_{};  // not before
};

}  // namespace penstock::app
