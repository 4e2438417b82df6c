// pools.NAME.health: what is asked of a backend, how often, and what counts as an answer.
#include <fmt/format.h>

#include "drafts.h"
#include "penstock/config/values.h"
#include "text.h"

namespace penstock::config {
namespace {

struct HealthDraft {
  Health health;
  std::vector<Value> http_only;  ///< keys that mean nothing to a tcp check
};

constexpr std::array types = {Choice<HealthType>{"tcp", HealthType::tcp},
                              Choice<HealthType>{"http", HealthType::http}};

/// Goes into a request line as it is (RFC 9112, section 3.2), so nothing may need escaping.
void read_path(const Value& value, HealthDraft& draft) {
  draft.http_only.push_back(value);
  constexpr std::string_view form =
      "a path that starts with \"/\", of at most 2048 printable ASCII characters without spaces or "
      "\"#\"";
  auto path = value.text(form);
  if (!path) return;
  const bool fits = path->starts_with('/') && path->size() <= 2048 && is_visible(*path);
  if (!fits || path->find('#') != std::string::npos) return value.mismatch(form);
  draft.health.path = std::move(*path);
}

/// Goes into a Host header as it is: a name or an address, with a port where needed.
void read_host(const Value& value, HealthDraft& draft) {
  draft.http_only.push_back(value);
  constexpr std::string_view form =
      "a host name or address without a path, such as \"app.example.com\"";
  auto host = value.text(form);
  if (!host) return;
  const bool odd = host->find_first_of("/?#@\\\"'<>,;") != std::string::npos;
  if (host->empty() || host->size() > 255 || !is_visible(*host) || odd) return value.mismatch(form);
  draft.health.host = std::move(*host);
}

void read_expect(const Value& value, HealthDraft& draft) {
  draft.http_only.push_back(value);
  const auto text = value.text("HTTP statuses in quotes, such as \"200-399\"");
  if (!text) return;
  auto ranges = parse_statuses(*text);
  if (!ranges) {
    return value.source().error(value.place(),
                                fmt::format("{}: {}", value.path(), ranges.error().message));
  }
  draft.health.expect = std::move(*ranges);
}

constexpr DurationRange interval_range{.least = 10ms, .most = 24h, .may_be_off = false};
constexpr DurationRange timeout_range{.least = 1ms, .most = 1h, .may_be_off = false};

using HealthKey = Key<HealthDraft>;
constexpr std::array health_table = {
    HealthKey{"type", [](const Value& v, HealthDraft& d) { v.read(d.health.type, types); },
              "\"tcp\" checks that a connection opens, \"http\" that a request is answered"},
    HealthKey{"path", read_path},
    HealthKey{"host", read_host},
    HealthKey{"expect", read_expect},
    HealthKey{"interval",
              [](const Value& v, HealthDraft& d) { v.read(d.health.interval, interval_range); }},
    HealthKey{"timeout",
              [](const Value& v, HealthDraft& d) { v.read(d.health.timeout, timeout_range); }},
    HealthKey{"rise", [](const Value& v, HealthDraft& d) { v.read(d.health.rise, {1, 1000}); }},
    HealthKey{"fall", [](const Value& v, HealthDraft& d) { v.read(d.health.fall, {1, 1000}); }},
};

}  // namespace

std::vector<KeyInfo> health_keys() { return infos(health_table); }

void read_health(const Value& value, PoolDraft& draft) {
  HealthDraft health;
  health.health.type =
      HealthType::http;  // until a valid type says otherwise, so that one error does not make more
  if (!read_table(value, health_table, health,
                  "a table such as { type = \"http\", path = \"/healthz\" }"))
    return;
  if (health.health.type == HealthType::tcp) {
    for (const Value& extra : health.http_only)
      extra.error("means nothing to a check of type \"tcp\": use type = \"http\"");
  }
  draft.pool.health = std::move(health.health);
}

}  // namespace penstock::config
