// OpenSSL without memory: whatever it cannot allocate, an engine says so and ends, and nothing
// leaks (which AddressSanitizer sees). Only one side's calls are under the switch.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <map>
#include <utility>

#include "penstock/base/test_switches.h"
#include "penstock/tls/failing_memory.h"
#include "tls_engines.h"

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
    const std::string why = context ? std::string() : context.error().message;
    CHECK((context || why.starts_with("cannot set up TLS: ") || why.starts_with("OpenSSL ")));
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

/// A server of `authority` for a.example and a client that trusts that in `ca_file`.
struct Verified {
  explicit Verified(const TestCertificate& trusted, const TestCertificate& authority)
      : server_context(make_server_context(
            issue({.alternative_names = "DNS:a.example", .issuer = &authority}))) {
    options.verification = Verification::ca_file;
    options.ca_file = folder.file("ca.pem", trusted.pem());
    options.alpn = {"h2"};
  }
  TempFolder folder;
  std::unique_ptr<Context> server_context;
  tls::ClientOptions options;
};

/// A handshake during which some of the client's allocations fail.
Status shake_client(EngineSide& client, EngineSide& server, double percent, std::uint64_t seed) {
  Status status = Status::want_input;
  bool server_done = false;
  for (std::uint64_t step = 0; step < 300; ++step) {
    if (status != Status::ok) {
      const Failing failing(percent, (seed << 16) + step);
      status = client.handshake();
    }
    server.deliver(client.take());
    if (!server_done) server_done = server.handshake() == Status::ok;
    client.deliver(server.take());
    if (status == Status::failed || (status == Status::ok && server_done)) return status;
  }
  return status;
}

TEST_CASE("a client that cannot be made for want of memory is an error", "[tls]") {
  skip_without_switches();
  const auto root = issue({.name = "root", .is_ca = true});
  Verified site(root, root);
  const auto context = Context::create_client(site.options).value();
  ClientSide first(*context, {.server_name = "a.example"});
  Server server(*site.server_context);
  REQUIRE(shake(first, server).client == Status::ok);
  (void)read_all(first);
  const Session session = first.engine->take_session();
  REQUIRE_FALSE(session.empty());
  std::map<bool, int> engines;
  std::map<bool, int> contexts;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    {
      const Failing failing(3, seed);
      const std::string name = seed % 2 == 0 ? "a.example" : "192.0.2.1";
      const auto engine =
          Engine::create_client(*context, {.server_name = name, .session = &session});
      ++engines[engine.has_value()];
      if (!engine) CHECK(engine.error().message.starts_with("cannot begin a TLS connection: "));
    }
    const Failing failing(0.2, seed);
    const auto made = Context::create_client(site.options);
    ++contexts[made.has_value()];
    if (!made) CHECK_FALSE(made.error().message.empty());
  }
  CHECK(engines[true] > 0);
  CHECK(engines[false] > 0);
  CHECK(contexts[true] > 0);
  CHECK(contexts[false] > 0);
}

TEST_CASE("a client's handshake for which memory runs out ends, at any place", "[tls]") {
  skip_without_switches();
  const auto root = issue({.name = "root", .is_ca = true});
  const auto other = issue({.name = "other", .is_ca = true});
  const bool trusted = GENERATE(true, false);
  Verified site(trusted ? root : other, root);
  std::map<Status, int> ends;
  for (const Version version : {Version::tls12, Version::tls13}) {
    site.options.terms.max_version = version;
    const auto context = Context::create_client(site.options).value();
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
      CAPTURE(version, seed);
      ClientSide client(*context, {.server_name = "a.example"});
      Server server(*site.server_context);
      client.output_limit = seed % 3 == 0 ? 64 : 65536;
      const Status end = shake_client(client, server, 0.1, seed);
      ++ends[end];
      if (end == Status::failed) {
        CHECK_FALSE(client.engine->failure().empty());
        CHECK(client.handshake() == Status::failed);
      }
    }
  }
  // A server that is not trusted is not for want of memory either.
  CHECK((ends[Status::ok] > 0) == trusted);
  CHECK(ends[Status::failed] > 0);
  CHECK(ends[Status::ok] + ends[Status::failed] == 600);
}

TEST_CASE("a session for which there is no memory is none, and may leave the connection as it is",
          "[tls]") {
  skip_without_switches();
  const auto server_context = make_context({});
  const auto context = make_client_context(Version::tls13);
  std::map<std::pair<Status, bool>, int> ends;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    ClientSide client(*context);
    Server server(*server_context);
    REQUIRE(shake(client, server).client == Status::ok);
    const Failing failing(2, seed);
    const Status status = read_all(client);
    const Session session = client.engine->take_session();
    ++ends[{status, session.empty()}];
    CHECK(client.engine->failure().empty() == (status == Status::want_input));
  }
  CHECK(ends[{Status::want_input, false}] > 0);
  CHECK(ends[{Status::want_input, true}] > 0);  // only the copy did not fit
  CHECK(ends[{Status::failed, true}] > 0);
  CHECK(ends[{Status::failed, false}] == 0);
}

}  // namespace
}  // namespace penstock::tls::test
