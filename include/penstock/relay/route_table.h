// RouteTable: which route of a listener a ClientHello takes. Pure; built with a Routing, then only
// read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "penstock/base/ids.h"
#include "penstock/config/config.h"

namespace penstock::relay {

class RouteTable {
 public:
  struct Route {
    PoolId pool;
    bool passthrough = false;            ///< not decrypted
    std::vector<std::string> protocols;  ///< one of them has to be there; empty: any will do
  };

  RouteTable() = default;
  explicit RouteTable(std::span<const config::Route> routes);

  [[nodiscard]] bool empty() const noexcept { return routes_.empty(); }
  /// The first route, in the file's order, for a client that asks for this name, in lower case, and
  /// offers these protocols, or has agreed on one. A wildcard stands for one whole label. Null: no
  /// route.
  [[nodiscard]] const Route* find(std::string_view server_name,
                                  std::span<const std::string> protocols) const noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };
  /// The routes with a name, by position.
  using Positions = std::vector<std::uint32_t>;
  using Names = std::unordered_map<std::string, Positions, Hash, std::equal_to<>>;

  std::vector<Route> routes_;
  Names exact_;
  Names wildcard_;      ///< by what follows the "*."
  Positions nameless_;  ///< that match any name, and none
};

}  // namespace penstock::relay
