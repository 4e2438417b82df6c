// Every key of the configuration file, from the same tables that the reader works with: for the
// test that conf/example.toml shows all of them, and for "did you mean".
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace penstock::config {

struct KeyInfo {
  std::string_view name;
  bool landed = true;          ///< false: the contract has the key, this version cannot do it yet
  std::string_view missing{};  ///< what to say when it is not there; empty: it is optional
  std::string_view unless{};   ///< the key that makes it optional
};

struct TableInfo {
  std::string_view path;  ///< as an operator writes it: "pools.NAME.health"; a list's entries end
                          ///< in "[]"; empty: the file
  std::vector<KeyInfo> keys;
};

/// All tables, in the order of conf/example.toml.
[[nodiscard]] std::span<const TableInfo> all_tables();

}  // namespace penstock::config
