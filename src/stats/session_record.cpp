// The ring between a shard and the log writer, and a record's JSON. One writer, one reader, two
// positions that only grow: each side stores its own and reads the other's, so neither ever waits.
#include "penstock/stats/session_record.h"

#include <chrono>

namespace penstock::stats {
namespace {

// Whole microseconds: finer digits are noise, and they would double the length of the line.
double milliseconds(Duration duration) noexcept {
  const auto us = std::chrono::round<std::chrono::microseconds>(duration).count();
  return static_cast<double>(us) / 1000.0;
}

}  // namespace

bool RecordRing::push(const SessionRecord& record) noexcept {
  const std::size_t tail = tail_.load(std::memory_order_relaxed);
  // Pairs with the release in pop(): the slot is ours only after the reader has copied what was in
  // it.
  if (tail - head_.load(std::memory_order_acquire) == records_.size()) return false;
  records_[tail & (records_.size() - 1)] = record;
  tail_.store(tail + 1, std::memory_order_release);
  return true;
}

std::optional<SessionRecord> RecordRing::pop() noexcept {
  const std::size_t head = head_.load(std::memory_order_relaxed);
  if (head == tail_.load(std::memory_order_acquire)) return std::nullopt;
  std::optional<SessionRecord> record = records_[head & (records_.size() - 1)];
  head_.store(head + 1, std::memory_order_release);
  return record;
}

Json to_json(const SessionRecord& record, const Names& names) {
  PENSTOCK_ASSERT(record.listener.value < names.listeners.size());
  PENSTOCK_ASSERT(!record.backend || record.backend->value < names.backends.size());
  const CloseReasonInfo& reason = info(record.reason);
  Json json = Json::object();
  json["client"] = record.client.to_string();
  json["listener"] = names.listeners[record.listener.value];
  json["backend"] = record.backend ? Json(names.backends[record.backend->value]) : Json(nullptr);
  json["reason"] = std::string(reason.name);
  json["termination"] = std::string(reason.letters);
  json["bytes_in"] = record.bytes_in;
  json["bytes_out"] = record.bytes_out;
  json["duration_ms"] = milliseconds(record.duration);
  json["connect_ms"] = milliseconds(record.connect_time);
  json["tries"] = record.tries;
  json["tls"] = record.tls;
  return json;
}

}  // namespace penstock::stats
