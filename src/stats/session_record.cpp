// A record's JSON.
#include "penstock/stats/session_record.h"

#include <chrono>

#include "penstock/base/assert.h"

namespace penstock::stats {
namespace {

// Whole microseconds: finer digits are noise, and they would double the length of the line.
double milliseconds(Duration duration) noexcept {
  const auto us = std::chrono::round<std::chrono::microseconds>(duration).count();
  return static_cast<double>(us) / 1000.0;
}

Json text_or_null(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(std::string(text));
}

}  // namespace

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
  json["tls_version"] = text_or_null(record.tls_version);
  json["server_name"] = text_or_null(record.server_name.view());
  json["client_name"] = text_or_null(record.client_name.view());
  return json;
}

}  // namespace penstock::stats
