// Session tickets of servers: who takes whose, how long, and for what.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "tls_engines.h"

namespace penstock::tls::test {
namespace {

using namespace std::chrono_literals;

// The wall clock of tickets, which tests move.
std::chrono::system_clock::time_point ticket_now = now;  // NOLINT: a function pointer reads it

const std::string secret(48, 's');

struct Host {
  explicit Host(const TestCertificate& certificate, Tickets tickets = {},
                const std::map<std::string, ClientVerification>& by_name = {}) {
    tickets.clock = [] { return ticket_now; };
    ServerOptions options;
    options.certificates.push_back(identity_of(certificate));
    options.tickets = std::move(tickets);
    options.clients_by_name = by_name;
    context = Context::create_server(options).value();
  }
  std::unique_ptr<Context> context;
};

/// What a handshake leaves behind.
struct Visit {
  Status client = Status::failed;
  bool resumed = false;
  Session session;
};

Visit visit(const Host& host, Context& client_context, const std::string& name,
            const Session* session = nullptr) {
  ClientSide client(client_context, {.server_name = name, .session = session});
  Server server(*host.context);
  Visit result;
  result.client = shake(client, server).client;
  if (result.client == Status::ok) result.client = pass(server, client);
  result.resumed = client.engine->negotiated().resumed;
  result.session = client.engine->take_session();
  return result;
}

TEST_CASE("hosts with one secret resume each other's sessions; others do a full handshake",
          "[tls]") {
  const Version version = GENERATE(values(both_versions));
  ticket_now = now;
  const auto certificate = issue({.name = "a", .alternative_names = "DNS:a.test"});
  const auto client = make_client_context(version);
  const Host one(certificate, {.secret = secret});
  const Host another(certificate, {.secret = secret});
  const Visit first = visit(one, *client, "a.test");
  REQUIRE_FALSE(first.resumed);
  REQUIRE(visit(another, *client, "a.test", &first.session).resumed);
  const Host stranger(certificate, {.secret = std::string(48, 'x')});
  const Visit strange = visit(stranger, *client, "a.test", &first.session);
  REQUIRE(strange.client == Status::want_input);
  REQUIRE_FALSE(strange.resumed);
  const Host slower(certificate, {.secret = secret, .rotation = 6h});
  REQUIRE_FALSE(visit(slower, *client, "a.test", &first.session).resumed);
  const Host own(certificate);  // of the process
  REQUIRE_FALSE(visit(own, *client, "a.test", &first.session).resumed);
}

TEST_CASE("a ticket is good in its rotation and the next, also where a clock is slow", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const auto certificate = issue({.name = "a", .alternative_names = "DNS:a.test"});
  const auto client = make_client_context(version);
  const Host host(certificate, {.secret = secret, .rotation = 60s});
  ticket_now = now;
  const Visit first = visit(host, *client, "a.test");
  struct Case {
    std::chrono::seconds later;
    bool resumed;
  };
  const auto at = GENERATE(Case{0s, true}, Case{60s, true}, Case{-60s, true}, Case{120s, false},
                           Case{-120s, false});
  CAPTURE(at.later.count());
  ticket_now = now + at.later;
  const Visit second = visit(host, *client, "a.test", &first.session);
  REQUIRE(second.client == Status::want_input);  // never an error
  REQUIRE(second.resumed == at.resumed);
  // Clients of TLS 1.2 keep what they have resumed (see Engine::take_session()).
  const bool kept = version == Version::tls12 && at.resumed;
  REQUIRE(second.session.empty() == kept);
  // What a client of TLS 1.3 got is sealed with the key of that time.
  if (!kept) REQUIRE(visit(host, *client, "a.test", &second.session).resumed);
}

TEST_CASE("a ticket is good for the name that it was given for only", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  ticket_now = now;
  const auto certificate = issue({.name = "a", .alternative_names = "DNS:a.test,DNS:b.test"});
  const auto client = make_client_context(version);
  const Host host(certificate);
  const Visit first = visit(host, *client, "a.test");
  REQUIRE(visit(host, *client, "A.test.", &first.session).resumed);
  REQUIRE_FALSE(visit(host, *client, "b.test", &first.session).resumed);
  REQUIRE_FALSE(visit(host, *client, "", &first.session).resumed);
  const Visit nameless = visit(host, *client, "");
  REQUIRE(visit(host, *client, "", &nameless.session).resumed);
  REQUIRE_FALSE(visit(host, *client, "a.test", &nameless.session).resumed);
}

TEST_CASE("without tickets every handshake is a full one", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  ticket_now = now;
  const auto certificate = issue({.name = "a"});
  const auto client = make_client_context(version);
  const Host host(certificate, {.count = 0});
  const Visit first = visit(host, *client, "a.test");
  const Visit second = visit(host, *client, "a.test", &first.session);
  REQUIRE(second.client == Status::want_input);
  REQUIRE_FALSE(second.resumed);
}

}  // namespace
}  // namespace penstock::tls::test
