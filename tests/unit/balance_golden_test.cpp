// The tables and choices against tests/data/maglev.golden, which the independent maglev.py beside
// it wrote: every slot byte for byte. A difference means that clients of running fleets would move;
// such a change is a breaking release.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/balance/maglev.h"

namespace penstock::balance {
namespace {

/// A client and the name of its backend ("-" for none), when the backend `without` is dead ("" for
/// no one).
struct Choice {
  std::string without;
  std::string ip;
  std::string port;
  std::string backend;
};

struct Golden {
  std::string name;
  std::uint64_t seed = 0;
  std::uint32_t size = 0;
  std::vector<Member> members;
  std::string slots;
  std::vector<Choice> choices;
};

std::vector<Golden> read_golden() {
  std::ifstream file(PENSTOCK_TEST_DATA "/maglev.golden");
  REQUIRE(file.is_open());
  std::vector<Golden> tables;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "#") continue;
    if (kind == "table") {
      words >> tables.emplace_back().name;
      continue;
    }
    Golden& table = tables.at(tables.size() - 1);
    if (kind == "seed") {
      words >> table.seed;
    } else if (kind == "size") {
      words >> table.size;
    } else if (kind == "member") {
      Member& member = table.members.emplace_back();
      member.id = {static_cast<std::uint32_t>(table.members.size() - 1)};
      words >> member.weight >> member.name;
    } else if (kind == "slots") {
      std::string part;
      words >> part;
      table.slots += part;
    } else {
      REQUIRE((kind == "pick" || kind == "without"));
      Choice& choice = table.choices.emplace_back();
      if (kind == "without") words >> choice.without;
      words >> choice.ip >> choice.port >> choice.backend;
    }
    REQUIRE(!words.fail());
  }
  return tables;
}

/// The slots as maglev.py writes them: the owner's place in name order in base 36, one digit up to
/// 36 backends, else two.
std::string encoded_slots(const Maglev& table, const std::vector<Member>& members) {
  constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::map<std::string, BackendId> by_name;
  for (const Member& member : members) by_name[member.name] = member.id;
  std::vector<std::size_t> place(members.size());
  std::size_t next = 0;
  for (const auto& [name, id] : by_name) place[id.value] = next++;

  std::string text;
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
    const std::size_t owner = place.at(table.owner(slot).value);
    if (members.size() > 36) text += digits[owner / 36];
    text += digits[owner % 36];
  }
  return text;
}

Endpoint client_of(const Choice& choice) {
  const std::string port = choice.port == "-" ? "0" : choice.port;
  const bool is_v6 = choice.ip.find(':') != std::string::npos;
  constexpr std::string_view mapped = "::ffff:";
  // The parser refuses IPv4-mapped addresses; the kernel's are unmapped by Endpoint::from
  // (net_endpoint_test).
  const bool is_mapped = choice.ip.starts_with(mapped) && choice.ip.find('.') != std::string::npos;
  const std::string ip = is_mapped ? choice.ip.substr(mapped.size()) : choice.ip;
  const Result<Endpoint> client = Endpoint::parse(
      is_v6 && !is_mapped ? fmt::format("[{}]:{}", ip, port) : fmt::format("{}:{}", ip, port));
  REQUIRE(client.has_value());
  return *client;
}

std::string picked(const Golden& golden, const Maglev& table, const Choice& choice) {
  Liveness liveness(golden.members.size());
  for (const Member& member : golden.members) {
    if (member.name == choice.without) liveness.set(member.id, false);
  }
  const HashKey kind = choice.port == "-" ? HashKey::source_ip : HashKey::source_ip_port;
  const auto backend = table.pick(key_of(client_of(choice), kind, 0, golden.seed), liveness);
  return backend ? golden.members[backend->value].name : "-";
}

TEST_CASE("the tables equal the golden ones byte for byte", "[balance]") {
  const std::vector<Golden> tables = read_golden();
  REQUIRE(tables.size() == 9);
  for (const Golden& golden : tables) {
    CAPTURE(golden.name);
    const Maglev table(golden.members, golden.size, golden.seed);
    const std::string slots = encoded_slots(table, golden.members);
    REQUIRE(slots.size() >= golden.size);
    REQUIRE(slots.size() == golden.slots.size());
    // Not CHECK(a == b): 128 KiB of text help nobody.
    std::size_t different = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) different += slots[i] != golden.slots[i] ? 1 : 0;
    CHECK(different == 0);
  }
}

TEST_CASE("clients reach the backends of the golden file, also when one is dead", "[balance]") {
  for (const Golden& golden : read_golden()) {
    CAPTURE(golden.name);
    const Maglev table(golden.members, golden.size, golden.seed);
    REQUIRE(golden.choices.size() == 40);
    for (const Choice& choice : golden.choices) {
      CAPTURE(choice.without, choice.ip, choice.port);
      CHECK(picked(golden, table, choice) == choice.backend);
    }
  }
}

}  // namespace
}  // namespace penstock::balance
