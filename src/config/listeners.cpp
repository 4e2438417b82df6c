// [listeners.NAME]: where to accept, on what terms, and which pool serves it.
#include <fmt/format.h>

#include <charconv>

#include "drafts.h"
#include "text.h"

namespace penstock::config {
namespace {

constexpr std::string_view bind_form = "a list of addresses, such as [\"0.0.0.0:8080\"]";

void read_bind(const Value& value, ListenerDraft& draft) {
  const auto list = value.list(bind_form);
  if (!list) return;
  if (list->empty())
    return value.error(
        "is empty: a listener needs at least one address, such as [\"0.0.0.0:8080\"]");
  for (const Value& element : *list) {
    const auto text = element.text("an address in quotes, such as \"0.0.0.0:8080\"");
    if (!text) continue;
    const auto endpoint = Endpoint::parse(*text);
    if (endpoint) {
      draft.bind.push_back({*endpoint, element.place()});
    } else {
      element.source().error(element.place(),
                             fmt::format("{}: {}", element.path(), endpoint.error().message));
    }
  }
}

/// The permissions of unix sockets: "0660", or 0o660. A plain 660 is decimal in TOML, which nobody
/// means.
void read_mode(const Value& value, ListenerDraft& draft) {
  constexpr std::string_view form = "permissions in octal, such as \"0660\"";
  constexpr std::int64_t most = 0777;
  std::int64_t mode = -1;
  if (value.is_written_octal()) {
    mode = *value.integer({});
  } else {
    const auto text = value.text(form);
    if (!text) return;
    const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), mode, 8);
    if (code != std::errc{} || end != text->data() + text->size()) mode = -1;
  }
  if (mode < 0 || mode > most) return value.mismatch(form);
  draft.listener.mode = static_cast<mode_t>(mode);
  draft.mode = value.place();
}

void read_pool(const Value& value, ListenerDraft& draft) {
  if (auto name = value.text("the name of a pool in quotes"))
    draft.pool = {std::move(*name), value.place()};
}

void read_handshake_timeout(const Value& value, ListenerDraft& draft) {
  value.read(draft.listener.handshake_timeout);
  draft.handshake_timeout = value.place();
}

// The kernel's own limits: TCP_KEEPIDLE is at most 32767 s, TCP_USER_TIMEOUT is an int of
// milliseconds (tcp(7)).
constexpr DurationRange keepalive_range{.least = 1s, .most = 9h};
constexpr DurationRange user_timeout_range{.least = 1ms, .most = 576h};

using ListenerKey = Key<ListenerDraft>;
constexpr std::array listener_table = {
    ListenerKey{"bind", read_bind, "the addresses to accept on, such as bind = [\"0.0.0.0:8080\"]"},
    ListenerKey{"pool", read_pool, "the name of the pool that serves this listener", "routes"},
    ListenerKey{"tls", read_tls},
    ListenerKey{"routes", read_routes},
    ListenerKey{"backlog",
                [](const Value& v, ListenerDraft& d) { v.read(d.listener.backlog, {1, 65535}); }},
    ListenerKey{"mode", read_mode},
    ListenerKey{"handshake_timeout", read_handshake_timeout},
    ListenerKey{"idle_timeout",
                [](const Value& v, ListenerDraft& d) { v.read(d.listener.idle_timeout); }},
    ListenerKey{
        "keepalive",
        [](const Value& v, ListenerDraft& d) { v.read(d.listener.keepalive, keepalive_range); }},
    ListenerKey{"user_timeout",
                [](const Value& v, ListenerDraft& d) {
                  v.read(d.listener.user_timeout, user_timeout_range);
                }},
};

}  // namespace

std::vector<KeyInfo> listener_keys() { return infos(listener_table); }

void read_listeners(const Value& value, Draft& draft) {
  for (const Entry& entry : read_named(value, "listener")) {
    ListenerDraft listener;
    listener.listener.name = entry.name;
    listener.path = entry.value.path();
    read_table(entry.value, listener_table, listener, "a table with bind and pool");
    draft.listeners.push_back(std::move(listener));
  }
}

}  // namespace penstock::config
