// listeners.NAME.routes: which pool gets a connection, by what its ClientHello asks for, and
// whether it is decrypted.
#include <fmt/format.h>

#include <algorithm>

#include "drafts.h"
#include "text.h"

namespace penstock::config {
namespace {

void read_sni(const Value& value, RouteDraft& draft) {
  const auto list = value.list("a list of host names, such as [\"www.example.com\"]");
  if (!list) return;
  if (list->empty()) return value.error("is empty: leave it out to match any name");
  for (const Value& element : *list) {
    auto name = element.text(host_name_form);
    if (!name) continue;
    *name = lowered(*name);
    if (!is_host_name(*name)) {
      element.mismatch(host_name_form);
    } else if (std::ranges::find(draft.route.server_names, *name) !=
               draft.route.server_names.end()) {
      element.error(fmt::format("repeats {}", quote(*name)));
    } else {
      draft.route.server_names.push_back(*name);
      draft.names.push_back({std::move(*name), element.place()});
    }
  }
}

void read_match_alpn(const Value& value, RouteDraft& draft) {
  read_protocols(value, draft.route.protocols);
  if (draft.route.protocols.empty() && value.list("a list of protocol names")->empty())
    value.error("is empty: leave it out to match any protocol");
}

using MatchKey = Key<RouteDraft>;
constexpr std::array match_table = {MatchKey{"sni", read_sni}, MatchKey{"alpn", read_match_alpn}};

void read_match(const Value& value, RouteDraft& draft) {
  constexpr std::string_view form = "a table such as { sni = [\"www.example.com\"] }";
  const toml::table* table = value.table(form);
  if (table == nullptr) return;
  read_table(value, match_table, draft, form);
  if (table->empty()) value.error("is empty: give sni or alpn, or leave the route out");
}

void read_treatment(const Value& value, RouteDraft& draft) {
  constexpr std::array<std::string_view, 2> treatments = {"terminate", "passthrough"};
  const auto treatment = value.one_of(treatments);
  if (!treatment) return;
  draft.route.passthrough = *treatment == 1;
  draft.treatment = value.place();
}

void read_route_pool(const Value& value, RouteDraft& draft) {
  if (auto name = value.text("the name of a pool in quotes"))
    draft.pool = {std::move(*name), value.place()};
}

using RouteKey = Key<RouteDraft>;
constexpr std::array route_table = {
    RouteKey{"match", read_match,
             "what a ClientHello has to ask for, such as match = { sni = "
             "[\"www.example.com\"] }"},
    RouteKey{"tls", read_treatment},
    RouteKey{"pool", read_route_pool, "the name of the pool that serves this route"},
};

}  // namespace

std::vector<KeyInfo> route_keys() { return infos(route_table); }
std::vector<KeyInfo> match_keys() { return infos(match_table); }

void read_routes(const Value& value, ListenerDraft& draft) {
  const auto list = value.list("a list of tables, each [[listeners.NAME.routes]]");
  if (!list) return;
  if (list->empty()) return value.error("is empty: leave it out to send everything to the pool");
  for (const Value& element : *list) {
    RouteDraft route;
    route.path = element.path();
    read_table(element, route_table, route, "a table with match and pool");
    draft.routes.push_back(std::move(route));
  }
}

}  // namespace penstock::config
