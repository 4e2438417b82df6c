// What a valid configuration becomes, and the errors that do not come from the text: files that
// cannot be read.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "penstock/config/config.h"

namespace penstock::config {
namespace {

namespace files = std::filesystem;

const std::string certificates = PENSTOCK_TEST_DATA "/config/certs";

constexpr std::string_view minimal = R"(
[listeners.web]
bind = ["0.0.0.0:8080"]
pool = "app"
[pools.app]
backends = ["10.0.0.11:9000"]
)";

Config parsed(std::string_view text, const std::string& path = "test.toml") {
  auto config = parse(text, path);
  if (!config) FAIL(config.error().front().text());
  return std::move(*config);
}

/// All errors, one a line, without the file's name.
std::string errors_of(std::string_view text) {
  const auto config = parse(text, "f");
  if (config) return "none";
  std::string lines;
  for (const Diagnostic& error : config.error())
    lines += (lines.empty() ? "" : "\n") + error.text().substr(2);
  return lines;
}

std::string with(std::string_view more) { return std::string(minimal) + std::string(more); }

std::string listener(std::string_view keys) {
  return "[pools.app]\nbackends = [\"10.0.0.11:9000\"]\n[listeners.web]\npool = \"app\"\n" +
         std::string(keys);
}

}  // namespace

TEST_CASE("a minimal configuration has the documented defaults") {
  const Config config = parsed(minimal);
  REQUIRE(config.listeners.size() == 1);
  const Listener& web = config.listeners[0];
  CHECK(web.name == "web");
  CHECK(web.bind.at(0).to_string() == "0.0.0.0:8080");
  CHECK_FALSE(web.tls.has_value());
  CHECK_FALSE(web.mode.has_value());
  CHECK(web.backlog == 4096);
  CHECK(web.handshake_timeout == 10s);
  CHECK(web.idle_timeout == 10min);
  CHECK(web.keepalive == 60s);
  CHECK(web.user_timeout == 60s);
  REQUIRE(config.pools.size() == 1);
  const Pool& app = config.pools[0];
  CHECK(app.hash_key == balance::HashKey::source_ip);
  CHECK(app.connect_timeout == 3s);
  CHECK(app.connect_tries == 3);
  CHECK(app.table_size == 65537);
  CHECK_FALSE(app.health.has_value());
  CHECK(app.backends.at(0).weight == 1);
  CHECK_FALSE(config.process.shards.has_value());
  CHECK_FALSE(config.process.max_connections.has_value());
  CHECK(config.process.pin);
  CHECK(config.process.shutdown_timeout == 30s);
  CHECK(config.process.hash_seed == 0);
  CHECK(config.log.access == "off");
  CHECK(config.log.level == log::Level::info);
}

TEST_CASE("listeners, pools and backends are numbered in the order of the file") {
  const Config config = parsed(R"(
[pools.zebra]
backends = ["10.0.0.1:1", "10.0.0.2:2"]
[listeners.second]
bind = ["0.0.0.0:2"]
pool = "ant"
[listeners.first]
bind = ["0.0.0.0:1"]
pool = "zebra"
[pools.ant]
backends = ["10.0.0.3:3"]
)");
  REQUIRE(config.pools.size() == 2);
  CHECK(config.pools[0].name == "zebra");
  CHECK(config.pools[1].name == "ant");
  CHECK(config.listeners[0].name == "second");
  CHECK(config.listeners[0].pool == PoolId{1});
  CHECK(config.listeners[1].pool == PoolId{0});
  CHECK(config.pools[0].backends[1].id == BackendId{1});
  CHECK(config.pools[1].backends[0].id == BackendId{2});
  CHECK(config.backend_count() == 3);
}

TEST_CASE("a backend without a name is called by its canonical address") {
  const Config config = parsed(R"(
[listeners.web]
bind = ["0.0.0.0:8080"]
pool = "app"
[pools.app]
backends = [
  "[0:0:0:0:0:0:0:1]:9000",
  { address = "unix:/run/app.sock" },
  { address = "10.0.0.1:1", name = "big/1" },
]
)");
  const auto& backends = config.pools[0].backends;
  CHECK(backends[0].name == "[::1]:9000");
  CHECK(backends[1].name == "unix:/run/app.sock");
  CHECK(backends[2].name == "big/1");
}

TEST_CASE("every key of a pool arrives") {
  const Config config = parsed(R"(
[listeners.web]
bind = ["0.0.0.0:8080"]
pool = "app"
[pools.app]
balance = "maglev"
hash_key = "source_ip_port"
table_size = 251
connect_timeout = "250ms"
connect_tries = 16
backends = [{ address = "10.0.0.1:1", weight = 251 }]
[pools.app.health]
type = "http"
path = "/healthz?deep=1"
host = "app.example.com:8080"
expect = "200,204"
interval = "100ms"
timeout = "50ms"
rise = 1
fall = 5
)");
  const Pool& pool = config.pools[0];
  CHECK(pool.hash_key == balance::HashKey::source_ip_port);
  CHECK(pool.table_size == 251);
  CHECK(pool.connect_timeout == 250ms);
  CHECK(pool.connect_tries == 16);
  CHECK(pool.backends[0].weight == 251);
  REQUIRE(pool.health.has_value());
  CHECK(pool.health->type == HealthType::http);
  CHECK(pool.health->path == "/healthz?deep=1");
  CHECK(pool.health->host == "app.example.com:8080");
  REQUIRE(pool.health->expect.size() == 2);
  CHECK(pool.health->expect[1].first == 204);
  CHECK(pool.health->interval == 100ms);
  CHECK(pool.health->timeout == 50ms);
  CHECK(pool.health->rise == 1);
  CHECK(pool.health->fall == 5);
}

TEST_CASE("every key of the process and the log arrives") {
  const Config config = parsed(with(R"(
[process]
shards = 4
pin = false
max_connections = 5000
shutdown_timeout = "0s"
hash_seed = 9223372036854775807
io_disable = ["defer_taskrun", "multishot_accept", "defer_taskrun"]
splice = false
pipe_memory = "16MiB"
[log]
access = "logs/access.log"
level = "debug"
[admin]
)"),
                               "etc/penstock.toml");
  CHECK(config.process.shards == 4u);
  CHECK_FALSE(config.process.pin);
  CHECK(config.process.max_connections == 5000u);
  CHECK(config.process.shutdown_timeout == 0s);
  CHECK(config.process.hash_seed == 9223372036854775807u);
  CHECK(config.process.io_disable.has(io::Feature::defer_taskrun));
  CHECK(config.process.io_disable.has(io::Feature::multishot_accept));
  CHECK_FALSE(config.process.io_disable.has(io::Feature::poll_first));
  CHECK(config.process.io_disable.has(io::Feature::splice));
  CHECK(config.process.pipe_memory == std::uint64_t{16} * 1024 * 1024);
  CHECK(config.log.access == "etc/logs/access.log");
  CHECK(config.log.level == log::Level::debug);
}

TEST_CASE("relative paths are relative to the file, absolute ones are left alone") {
  CHECK(parsed(with("[log]\naccess = \"a.log\""), "penstock.toml").log.access == "a.log");
  CHECK(parsed(with("[log]\naccess = \"a.log\""), "/etc/penstock/penstock.toml").log.access ==
        "/etc/penstock/a.log");
  CHECK(parsed(with("[log]\naccess = \"/var/a.log\""), "/etc/penstock.toml").log.access ==
        "/var/a.log");
  CHECK(parsed(with("[log]\naccess = \"stdout\""), "/etc/penstock.toml").log.access == "stdout");
}

TEST_CASE("a TLS listener has its certificates loaded, from beside the file") {
  const Config config = parsed(listener(R"(bind = ["0.0.0.0:8443"]
[listeners.web.tls]
certificates = [
  { chain = "server.pem", key = "server.key" },
  { chain = "other.pem", key = "other.key" },
]
alpn = ["h2", "http/1.1"]
min_version = "1.3"
handshake_timeout = "5s"
)"),
                               certificates + "/penstock.toml");
  const Listener& web = config.listeners[0];
  REQUIRE(web.tls.has_value());
  CHECK(web.tls->certificates.size() == 2);
  CHECK(web.tls->alpn == std::vector<std::string>{"h2", "http/1.1"});
  CHECK(web.tls->terms.min_version == tls::Version::tls13);
  CHECK(web.handshake_timeout == 5s);
}

TEST_CASE("a unix socket's mode is octal, as text or as a number") {
  const auto* mode = GENERATE("\"0660\"", "\"660\"", "0o660");
  CAPTURE(mode);
  const Config config = parsed(
      listener("bind = [\"unix:/run/a.sock\", \"0.0.0.0:80\"]\nmode = " + std::string(mode)));
  CHECK(config.listeners[0].mode == 0660);
}

TEST_CASE("port 0 may be bound any number of times, the same address only once") {
  CHECK(errors_of(listener(
            "bind = [\"127.0.0.1:0\", \"127.0.0.1:0\", \"[::]:80\", \"0.0.0.0:80\"]")) == "none");
  CHECK(errors_of(listener("bind = [\"unix:/a\", \"unix:/a\"]")) ==
        "5:20: listeners.web.bind has unix:/a again: listeners.web.bind has it in line 5");
}

TEST_CASE("two backends may share an address when their names differ") {
  CHECK(errors_of(R"(
[listeners.web]
bind = ["0.0.0.0:8080"]
pool = "app"
[pools.app]
backends = ["10.0.0.1:1", { name = "again", address = "10.0.0.1:1" }]
)") == "none");
}

TEST_CASE("timeouts can be turned off where the contract says so") {
  const Config config = parsed(
      listener("bind = [\"0.0.0.0:80\"]\nhandshake_timeout = \"0s\"\nidle_timeout = \"0ms\"\n"
               "keepalive = \"0h\"\nuser_timeout = \"0m\"\n"
               "tls = { certificates = [{ chain = \"server.pem\", key = \"server.key\" }] }"),
      certificates + "/penstock.toml");
  CHECK(config.listeners[0].handshake_timeout == 0s);
  CHECK(config.listeners[0].idle_timeout == 0s);
  CHECK(config.listeners[0].keepalive == 0s);
  CHECK(config.listeners[0].user_timeout == 0s);
}

TEST_CASE("dotted keys, inline tables, Windows line ends and a byte order mark are all TOML") {
  CHECK(errors_of(
            "\xEF\xBB\xBFlisteners.web.bind = [\"0.0.0.0:80\"]\r\nlisteners.web.pool = \"app\"\r\n"
            "pools = { app = { backends = [\"10.0.0.1:1\"], health.type = \"tcp\" } }\r\n") ==
        "none");
}

TEST_CASE("columns count characters, not bytes") {
  CHECK(errors_of(with("\"größe\" = 1"))
            .starts_with("7:1: unknown key pools.app.\"größe\"; known here: "));
  CHECK(errors_of(listener("bind = [\"ä:80\", 1]"))
            .find("5:17: listeners.web.bind[1] must be an address") != std::string::npos);
}

TEST_CASE("text from the file cannot break out of its message") {
  CHECK(errors_of(with("[log]\nlevel = \"a\\nf:1:1: forged\\u001b[31m\"")) ==
        "8:9: log.level must be \"debug\", \"info\", \"warn\" or \"error\", not \"a\\x0af:1:1: "
        "forged\\x1b[31m\"");
  CHECK(errors_of(with("[\"x\\ny\"]")).starts_with("7:2: unknown key \"x\\x0ay\"; known here: "));
}

TEST_CASE("a value that toml++ cannot read comes with the usual remedy") {
  const auto* value = GENERATE("10s", "app", "10.0.0.1:80", "64KiB");
  CAPTURE(value);
  const std::string error = errors_of(std::string("a = ") + value);
  CHECK(error.find(": not valid TOML: ") != std::string::npos);
  CHECK(error.ends_with("(text, durations and addresses need quotes: \"10s\")"));
  CHECK(errors_of("mode = 0660").ends_with("(write octal permissions as \"0660\")"));
}

TEST_CASE("a file that cannot be read is an error with the path as typed") {
  const auto text_of = [](const std::string& path) {
    const auto config = load(path);
    return config ? std::string("none") : config.error().front().text();
  };
  CHECK(text_of("./absent.toml") ==
        "./absent.toml:1:1: cannot open the configuration: No such file or directory");
  CHECK(text_of("/") == "/:1:1: cannot read the configuration: Is a directory");
  CHECK(text_of("/dev/zero") ==
        "/dev/zero:1:1: cannot read the configuration: it is larger than 16 MiB");
}

TEST_CASE("a configuration can come through a pipe") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  REQUIRE(::write(ends[1], minimal.data(), minimal.size()) == static_cast<ssize_t>(minimal.size()));
  ::close(ends[1]);
  const auto config = load("/dev/fd/" + std::to_string(ends[0]));
  ::close(ends[0]);
  CHECK(config.has_value());
}

TEST_CASE("a file that ends anywhere is read or refused, at a place inside it") {
  std::ifstream file(PENSTOCK_TEST_DATA "/../../conf/tls.toml");
  const std::string whole(std::istreambuf_iterator<char>(file), {});
  REQUIRE(whole.size() > 500);
  const auto lines = static_cast<std::uint32_t>(std::ranges::count(whole, '\n'));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto config = parse(std::string_view(whole).substr(0, size), certificates + "/tls.toml");
    if (config) continue;
    REQUIRE_FALSE(config.error().empty());
    for (const Diagnostic& error : config.error()) {
      REQUIRE(error.line >= 1);
      REQUIRE(error.line <= lines + 1);
      REQUIRE(error.column >= 1);
      REQUIRE_FALSE(error.message.empty());
    }
  }
}

TEST_CASE("a key that is nested without end is an error with its place, not a crash", "[config]") {
  std::string key = "[listeners.web]\na";
  for (int i = 0; i < 300'000; ++i) key += ".a";
  const auto deep = config::parse(key + " = 1\n", "deep.toml");
  REQUIRE(!deep.has_value());
  CHECK(deep.error().front().line == 2);
  CHECK(deep.error().front().message.find("128 dots") != std::string::npos);
  // Columns count characters: of these, three stand before the first dot.
  std::string accents = "\"é\"";
  for (int i = 0; i < 200; ++i) accents += ".a";
  const auto accented = config::parse(accents + " = 1\n", "deep.toml");
  REQUIRE(!accented.has_value());
  CHECK(accented.error().front().column == 260);
  std::string quoted;
  for (int i = 0; i < 300'000; ++i) quoted += "\"a=b\".";
  CHECK(!config::parse(quoted + "c = 1\n", "deep.toml").has_value());
}

TEST_CASE("dots in texts, numbers and comments do not count as a nested key", "[config]") {
  std::string text = "# " + std::string(500, '.') + " don't\n";
  text += "[listeners.web]\nbind = [\"127.0.0.1:1\"]\npool = \"a\"\n[pools.a]\nbackends = [";
  for (int i = 0; i < 250; ++i) text += fmt::format("\"10.0.0.{}:80\", ", i);
  text += "]\n[log]\naccess = \"/" + std::string(300, '.') + "\"\n";
  CHECK(config::parse(text, "dots.toml").has_value());
}

}  // namespace penstock::config
