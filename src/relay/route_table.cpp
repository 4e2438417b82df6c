// Three lists can have the route: of the exact name, of the wildcard, of routes without a name.
// Each is in the file's order, so the first of the firsts is the one.
#include "penstock/relay/route_table.h"

#include <algorithm>
#include <array>

namespace penstock::relay {
namespace {

bool share_one(std::span<const std::string> left, std::span<const std::string> right) noexcept {
  return std::ranges::any_of(
      left, [&](const std::string& each) { return std::ranges::find(right, each) != right.end(); });
}

}  // namespace

RouteTable::RouteTable(std::span<const config::Route> routes) {
  for (const config::Route& from : routes) {
    const auto position = static_cast<std::uint32_t>(routes_.size());
    routes_.push_back(
        {.pool = from.pool, .passthrough = from.passthrough, .protocols = from.protocols});
    if (from.server_names.empty()) nameless_.push_back(position);
    for (const std::string& name : from.server_names) {
      if (name.starts_with("*.")) {
        wildcard_[name.substr(2)].push_back(position);
      } else {
        exact_[name].push_back(position);
      }
    }
  }
}

const RouteTable::Route* RouteTable::find(std::string_view server_name,
                                          std::span<const std::string> protocols) const noexcept {
  static const Positions none;
  const auto of = [](const Names& names, std::string_view name) -> const Positions& {
    const auto found = names.find(name);
    return found != names.end() ? found->second : none;
  };
  const std::size_t dot = server_name.find('.');
  const bool has_label = dot != std::string_view::npos && dot > 0;
  const std::array candidates = {&of(exact_, server_name),
                                 has_label ? &of(wildcard_, server_name.substr(dot + 1)) : &none,
                                 &nameless_};
  const Route* first = nullptr;
  for (const Positions* positions : candidates) {
    for (const std::uint32_t position : *positions) {
      const Route& route = routes_[position];
      if (first != nullptr && first < &route) break;
      if (!route.protocols.empty() && !share_one(route.protocols, protocols)) continue;
      first = &route;
      break;
    }
  }
  return first;
}

}  // namespace penstock::relay
