// The files of conf/ are what people start from: they parse, they show every key, and the defaults
// that they tell are the real ones.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "penstock/config/config.h"
#include "penstock/config/keys.h"

namespace penstock::config {
namespace {

const std::string conf = PENSTOCK_TEST_DATA "/../../conf/";
/// As if the file lay in the folder of the certificates that it names.
const std::string beside_certificates = PENSTOCK_TEST_DATA "/config/certs/penstock.toml";

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file.is_open());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// example.toml with its settings switched on: lines that begin with "#" and no space.
std::string uncommented() {
  std::istringstream lines(text_of(conf + "example.toml"));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const bool is_setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text += is_setting ? line.substr(1) : line;
    text += '\n';
  }
  return text;
}

Config example_config(std::string_view text) {
  auto config = parse(text, beside_certificates);
  if (!config) FAIL(config.error().front().text());
  return std::move(*config);
}

}  // namespace

TEST_CASE("minimal.toml and example.toml are valid as they are") {
  for (const auto* name : {"minimal.toml", "example.toml"}) {
    const auto config = load(conf + name);
    if (!config) FAIL_CHECK(config.error().front().text());
  }
}

TEST_CASE("tls.toml is valid beside its certificates") {
  const Config config = example_config(text_of(conf + "tls.toml"));
  REQUIRE(config.listeners.size() == 1);
  REQUIRE(config.listeners[0].tls.has_value());
  CHECK(config.listeners[0].tls->certificates.size() == 2);
  CHECK(config.listeners[0].bind.size() == 2);
  CHECK(config.pools[0].health.has_value());
}

TEST_CASE("example.toml is valid with every setting switched on") {
  const Config config = example_config(uncommented());
  REQUIRE(config.listeners.size() == 3);
  CHECK(config.listeners[1].mode == 0660);
  CHECK(config.listeners[2].tls->certificates.size() == 3);  // one of them from the folder
  CHECK(config.listeners[2].tls->clients.authorities != nullptr);
  CHECK(config.listeners[2].tls->clients_by_name.size() == 2);
}

TEST_CASE("the defaults that example.toml tells are the real ones") {
  const Config told = example_config(uncommented());
  const Listener listener{};
  for (const Listener& each : told.listeners) {
    CHECK(each.handshake_timeout == listener.handshake_timeout);
  }
  CHECK(told.listeners[0].backlog == listener.backlog);
  CHECK(told.listeners[0].idle_timeout == listener.idle_timeout);
  CHECK(told.listeners[0].keepalive == listener.keepalive);
  CHECK(told.listeners[0].user_timeout == listener.user_timeout);
  CHECK(told.listeners[2].tls->alpn.empty());
  const tls::ServerOptions tls{};
  CHECK(told.listeners[2].tls->strict_names == tls.strict_names);
  CHECK(told.listeners[2].tls->terms.min_version == tls.terms.min_version);
  CHECK(told.listeners[2].tls->terms.max_version == tls.terms.max_version);
  CHECK(told.listeners[2].tls->clients.depth == tls.clients.depth);
  CHECK(told.listeners[2].tls->tickets.count == tls.tickets.count);
  CHECK(told.listeners[2].tls->tickets.rotation == tls.tickets.rotation);
  const Pool pool{};
  CHECK(told.pools[0].hash_key == pool.hash_key);
  CHECK(told.pools[0].table_size == pool.table_size);
  CHECK(told.pools[0].connect_timeout == pool.connect_timeout);
  CHECK(told.pools[0].connect_tries == pool.connect_tries);
  const Health health{};
  REQUIRE(told.pools[0].health.has_value());
  CHECK(told.pools[0].health->path == health.path);
  CHECK(told.pools[0].health->interval == health.interval);
  CHECK(told.pools[0].health->timeout == health.timeout);
  CHECK(told.pools[0].health->rise == health.rise);
  CHECK(told.pools[0].health->fall == health.fall);
  REQUIRE(told.pools[0].health->expect.size() == 1);
  CHECK(told.pools[0].health->expect[0].first == health.expect[0].first);
  CHECK(told.pools[0].health->expect[0].last == health.expect[0].last);
  const Process process{};
  CHECK(told.process.shards == process.shards);
  CHECK(told.process.pin == process.pin);
  CHECK(told.process.shutdown_timeout == process.shutdown_timeout);
  CHECK(told.process.hash_seed == process.hash_seed);
  CHECK(told.log.access == Log{}.access);
  CHECK(told.log.level == Log{}.level);
}

TEST_CASE("example.toml shows every key that has landed and none that has not") {
  const std::string text = "\n" + uncommented();
  const auto shows = [&](std::string_view key) {
    for (const auto* form : {"\n{} = ", "{{ {} = ", ", {} = ", "[{}]", "[{}."}) {
      if (text.find(fmt::format(fmt::runtime(form), key)) != std::string::npos) return true;
    }
    return text.find(fmt::format(".{}]", key)) != std::string::npos;
  };
  for (const TableInfo& table : all_tables()) {
    for (const KeyInfo& key : table.keys) {
      // Keys of the same name in different tables cannot be told apart this way: pools.*.tls is
      // one.
      if (table.path == "pools.NAME" && key.name == "tls") continue;
      CAPTURE(table.path, key.name);
      const bool section_to_come = table.path.empty() && key.name == "admin";
      CHECK(shows(key.name) == (key.landed && !section_to_come));
    }
  }
}

}  // namespace penstock::config
