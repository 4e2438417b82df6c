// OpenSSL without memory: whatever it cannot allocate, an engine says so and ends, and nothing
// leaks (which AddressSanitizer sees). Only the server's calls are under the switch.
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "penstock/base/test_switches.h"
#include "penstock/tls/failing_memory.h"
#include "tls_client.h"

namespace penstock::tls::test {
namespace {

struct Failing {
  explicit Failing(double percent, std::uint64_t seed = 1) {
    test_switches::fail_allocations({.percent = percent, .seed = seed});
  }
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
  ~Failing() { test_switches::fail_allocations({.percent = 0}); }
};

void skip_without_switches() {
  if (!penstock_checks) SKIP("a build without checks has no switches");
  REQUIRE(memory_can_fail());
}

/// A handshake during which `percent` of the server's allocations fail.
Status shake(Client& client, Server& server, double percent, std::uint64_t seed) {
  Status status = Status::want_input;
  for (std::uint64_t step = 0; step < 300; ++step) {
    const bool client_done = client.handshake();
    server.deliver(client.take());
    if (status != Status::ok) {
      const Failing failing(percent, (seed << 16) + step);
      status = server.handshake();
    }
    client.deliver(server.take());
    if (status == Status::ok && client_done) return status;
    if (status == Status::failed) {
      client.handshake();  // reads what the server has sent before it failed
      return status;
    }
  }
  return status;
}

TEST_CASE("an engine that cannot be made for want of memory is an error", "[tls]") {
  skip_without_switches();
  const auto context = make_context({});
  std::map<bool, int> made;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Failing failing(3, seed);
    const auto engine = Engine::create_server(*context);
    ++made[engine.has_value()];
    if (!engine) {
      CHECK(engine.error().message.starts_with("cannot begin a TLS connection: "));
    }
  }
  CHECK(made[true] > 0);
  CHECK(made[false] > 0);
}

TEST_CASE("a context that cannot be made for want of memory is an error", "[tls]") {
  skip_without_switches();
  ServerOptions options;
  options.alpn = {"h2"};
  options.certificates.push_back(Identity::make_self_signed("penstock test", now).value());
  REQUIRE(Context::create_server(options).has_value());  // what OpenSSL fetches once is there
  std::map<bool, int> made;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Failing failing(0.2, seed);
    const auto context = Context::create_server(options);
    ++made[context.has_value()];
    if (!context) CHECK(context.error().message.starts_with("cannot set up TLS: "));
  }
  CHECK(made[true] > 0);
  CHECK(made[false] > 0);
}

TEST_CASE("a handshake for which memory runs out ends, at any place and with any room", "[tls]") {
  skip_without_switches();
  const auto context = make_context({});
  std::map<Status, int> ends;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Client client({.version = seed % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION});
    Server server(*context);
    server.output_limit = seed % 3 == 0 ? 64 : 65536;
    const Status end = shake(client, server, 0.1, seed);
    ++ends[end];
    if (end == Status::failed) {
      CHECK_FALSE(server.engine->failure().empty());
      CHECK(server.handshake() == Status::failed);
    }
  }
  CHECK(ends[Status::ok] > 0);
  CHECK(ends[Status::failed] > 0);
  CHECK(ends[Status::ok] + ends[Status::failed] == 300);
}

TEST_CASE("a server that runs out of memory shows no other site's certificate", "[tls]") {
  skip_without_switches();
  const TempFolder folder;
  ServerOptions options;
  for (const char* name : {"first", "second"}) {
    const auto made =
        make_certificate({.name = name, .alternative_names = std::string("DNS:") + name});
    const std::string chain = folder.file(std::string(name) + ".pem", made.pem());
    const std::string key = folder.file(std::string(name) + ".key", made.key_pem());
    options.certificates.push_back(Identity::load(chain, key, now).value());
  }
  const auto context = make_context(std::move(options));
  int shown = 0;
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    Client client({.server_name = "second"});
    Server server(*context);
    (void)shake(client, server, 0.2, seed);
    const std::string subject = client.server_subject();
    if (subject.empty()) continue;  // failed before its certificate
    ++shown;
    CAPTURE(seed);
    REQUIRE(subject == "/CN=second");
  }
  CHECK(shown > 0);
}

TEST_CASE("without memory writing, reading and close_notify fail, and stay failed", "[tls]") {
  skip_without_switches();
  Pair pair(TLS1_3_VERSION);
  Status status = Status::ok;
  SECTION("writing") {
    const Failing failing(100);
    status = pair.server.write(random_bytes(5000, 1)).status;
  }
  SECTION("reading") {
    pair.client.write(random_bytes(5000, 1));
    pair.to_server();
    const Failing failing(100);
    status = pair.server.read().status;
  }
  SECTION("close_notify") {
    const Failing failing(100);
    status = pair.server.close_notify();
  }
  CHECK(status == Status::failed);
  CHECK_FALSE(pair.server.engine->failure().empty());
  CHECK(pair.server.read().status == Status::failed);
}

}  // namespace
}  // namespace penstock::tls::test
