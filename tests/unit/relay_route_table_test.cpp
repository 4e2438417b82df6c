// RouteTable: the first route of the file that matches wins, whatever way it matches.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "penstock/relay/route_table.h"

namespace penstock::relay {
namespace {

config::Route made(std::vector<std::string> names, std::vector<std::string> protocols,
                   std::uint32_t pool) {
  return {.server_names = std::move(names),
          .protocols = std::move(protocols),
          .passthrough = true,
          .pool = PoolId{pool}};
}

int pool_of(const RouteTable& table, std::string_view name,
            const std::vector<std::string>& offered) {
  const RouteTable::Route* route = table.find(name, offered);
  return route != nullptr ? static_cast<int>(route->pool.value) : -1;
}

TEST_CASE("a table without routes finds none", "[relay]") {
  CHECK(RouteTable().empty());
  CHECK(pool_of(RouteTable(), "www.example.com", {"h2"}) == -1);
}

TEST_CASE("names match exactly, a wildcard stands for one label", "[relay]") {
  const std::vector<config::Route> routes = {made({"example.com", "www.example.com"}, {}, 0),
                                             made({"*.example.com"}, {}, 1)};
  const RouteTable table(routes);
  CHECK(pool_of(table, "example.com", {}) == 0);
  CHECK(pool_of(table, "www.example.com", {}) == 0);
  CHECK(pool_of(table, "api.example.com", {}) == 1);
  CHECK(pool_of(table, "a.b.example.com", {}) == -1);
  CHECK(pool_of(table, ".example.com", {}) == -1);
  CHECK(pool_of(table, "example.org", {}) == -1);
  CHECK(pool_of(table, "com", {}) == -1);
  CHECK(pool_of(table, "", {}) == -1);
}

TEST_CASE("the order of the file decides between an exact name, a wildcard and none", "[relay]") {
  const std::vector<config::Route> routes = {
      made({"*.example.com"}, {"h2"}, 0), made({"www.example.com"}, {}, 1),
      made({}, {"http/1.1"}, 2), made({"*.example.com"}, {}, 3)};
  const RouteTable table(routes);
  CHECK(pool_of(table, "www.example.com", {"http/1.1", "h2"}) == 0);
  CHECK(pool_of(table, "www.example.com", {"http/1.1"}) == 1);
  CHECK(pool_of(table, "api.example.com", {"http/1.1"}) == 2);
  CHECK(pool_of(table, "api.example.com", {}) == 3);
  CHECK(pool_of(table, "", {"http/1.1"}) == 2);
  CHECK(pool_of(table, "", {"h2"}) == -1);
}

}  // namespace
}  // namespace penstock::relay
