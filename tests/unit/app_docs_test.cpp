// The documents keep up with the code: every key, close reason, access log field and counter is in
// them.
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/json.h"
#include "penstock/config/keys.h"
#include "penstock/stats/close_reason.h"
#include "penstock/stats/counters.h"
#include "penstock/stats/session_record.h"

namespace penstock::app {
namespace {

std::string read_document(const std::string& name) {
  std::ifstream file(PENSTOCK_TEST_DATA "/../../" + name);
  INFO(name);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Every key of every object inside `json`, but for names that the configuration gives.
void check_keys(const Json& json, const std::string& document) {
  for (const auto& [key, value] : json.items()) {
    if (key == "web" || key == "app/a") {
      check_keys(value, document);
      continue;
    }
    INFO(key);
    CHECK(has(document, "`" + key + "`"));
    if (value.is_object()) check_keys(value, document);
  }
}

TEST_CASE("the README's table has every key that has landed, and only those", "[app]") {
  const std::string readme = read_document("README.md");
  const auto table = readme.find("## The keys");
  REQUIRE(table != std::string::npos);
  const std::string keys = readme.substr(table, readme.find("\n## ", table + 1) - table);
  for (const config::TableInfo& info : config::all_tables()) {
    const std::string path(info.path);
    if (path.empty() || path.ends_with("[]")) continue;  // explained in conf/example.toml
    const auto row = keys.find("| `[" + path + "]` |");
    for (const config::KeyInfo& key : info.keys) {
      INFO(path << "." << key.name);
      const std::string line =
          row == std::string::npos ? "" : keys.substr(row, keys.find('\n', row) - row);
      // `health` has a row of its own.
      const bool shown = has(line, "`" + std::string(key.name) + "`") || key.name == "health";
      CHECK(shown == key.landed);
    }
  }
}

TEST_CASE("docs/observability.md has every close reason as the table in the code has it", "[app]") {
  const std::string document = read_document("docs/observability.md");
  for (const stats::CloseReasonInfo& reason : stats::close_reasons) {
    const std::string row = "| `" + std::string(reason.name) + "` | `" +
                            std::string(reason.letters) + "` | " + std::string(reason.phrase) +
                            " |\n";
    INFO(row);
    CHECK(has(document, row));
  }
}

TEST_CASE("docs/observability.md has every fault of handshakes as the table in the code has it",
          "[app]") {
  const std::string document = read_document("docs/observability.md");
  for (const tls::HandshakeFaultInfo& fault : tls::handshake_faults) {
    const std::string row =
        "| `" + std::string(fault.name) + "` | " + std::string(fault.phrase) + " |\n";
    INFO(row);
    CHECK(has(document, row));
  }
}

TEST_CASE("docs/observability.md has every field of the access log and every counter", "[app]") {
  const std::string document = read_document("docs/observability.md");
  const stats::Names names{.listeners = {"web"}, .backends = {"app/a"}};
  check_keys(stats::to_json(stats::SessionRecord{}, names), document);
  std::vector<std::unique_ptr<stats::ShardCounters>> shards;
  shards.push_back(std::make_unique<stats::ShardCounters>(1, 1));
  check_keys(stats::to_json(shards, names), document);
}

}  // namespace
}  // namespace penstock::app
