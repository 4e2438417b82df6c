// Sessions: what a client takes from one connection and offers with the next, and when it must not.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <optional>

#include "tls_engines.h"

namespace penstock::tls::test {
namespace {

struct Connection {
  Connection(Context& client_context, Context& server_context, const ClientConnect& connect = {})
      : client(client_context, connect), server(server_context), ends(shake(client, server)) {
    if (ends.client == Status::ok) (void)read_all(client);  // the ticket
  }
  [[nodiscard]] bool resumed() const {
    REQUIRE(ends.client == Status::ok);
    REQUIRE(ends.server == Status::ok);
    const bool says = client.engine->negotiated().resumed;
    REQUIRE(says == server.engine->negotiated().resumed);
    return says;
  }
  ClientSide client;
  Server server;
  Ends ends;
};

TEST_CASE("a session is resumed, as often as one likes", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  auto server_context = make_context({});
  auto client_context = make_client_context(version);
  std::optional<Connection> full(std::in_place, *client_context, *server_context);
  REQUIRE_FALSE(full->resumed());
  const Session session = full->client.engine->take_session();
  REQUIRE_FALSE(session.empty());
  REQUIRE(full->client.engine->take_session().empty());
  // Cut off without close_notify, as the connections below are: for OpenSSL that spoils a session.
  full.reset();
  for (int i = 0; i < 5; ++i) {
    Connection again(*client_context, *server_context, {.session = &session});
    REQUIRE(again.resumed());
    const Negotiated agreed = again.client.engine->negotiated();
    REQUIRE(agreed.version == version);
    REQUIRE(agreed.group.empty() == (version == Version::tls12));
    REQUIRE(again.server.engine->negotiated().group == agreed.group);
    // The data goes on as ever.
    REQUIRE(again.client.write(bytes_of("?")).status == Status::ok);
    REQUIRE(pass(again.client, again.server) == Status::want_input);
    REQUIRE(text_of(again.server.received) == "?");
  }
}

TEST_CASE("a resumed connection brings a session in TLS 1.3, which is good as well", "[tls]") {
  auto server_context = make_context({});
  auto client_context = make_client_context(Version::tls13);
  Session session = Connection(*client_context, *server_context).client.engine->take_session();
  for (int i = 0; i < 3; ++i) {
    Connection next(*client_context, *server_context, {.session = &session});
    REQUIRE(next.resumed());
    session = next.client.engine->take_session();
    REQUIRE_FALSE(session.empty());
  }
}

TEST_CASE("a session is good on another context, and with small windows", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const std::size_t window = GENERATE(1U, 30U);
  auto server_context = make_context({});
  auto client_context = make_client_context(version);
  auto other_context = make_client_context(version);
  const Session session =
      Connection(*client_context, *server_context).client.engine->take_session();
  client_context.reset();
  ClientSide client(*other_context, {.session = &session});
  Server server(*server_context);
  client.input_limit = window;
  client.output_limit = window;
  REQUIRE(shake(client, server).client == Status::ok);
  REQUIRE(client.engine->negotiated().resumed);
  REQUIRE(read_all(client) == Status::want_input);
  REQUIRE(client.engine->take_session().empty() == (version == Version::tls12));
}

TEST_CASE("a session of other certificates is not resumed, and does no harm", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  auto server_context = make_context({});
  auto foreign_context = make_context({});
  auto client_context = make_client_context(version);
  const Session session =
      Connection(*client_context, *server_context).client.engine->take_session();
  Connection foreign(*client_context, *foreign_context, {.session = &session});
  REQUIRE_FALSE(foreign.resumed());
  REQUIRE(Connection(*client_context, *server_context, {.session = &session}).resumed());
}

TEST_CASE("a session of a version that is not spoken any more is not offered", "[tls]") {
  auto server_context = make_context({});
  auto new_context = make_client_context(Version::tls13);
  auto old_context = make_client_context(Version::tls12);
  const Session session = Connection(*new_context, *server_context).client.engine->take_session();
  REQUIRE_FALSE(Connection(*old_context, *server_context, {.session = &session}).resumed());
}

TEST_CASE("an empty session is none, and a server has none to take", "[tls]") {
  auto server_context = make_context({});
  auto client_context = make_client_context(Version::tls13);
  const Session empty;
  REQUIRE(empty.empty());
  Connection connection(*client_context, *server_context, {.session = &empty});
  REQUIRE_FALSE(connection.resumed());
  REQUIRE(connection.server.engine->take_session().empty());
}

TEST_CASE("a ticket is there once it was read", "[tls]") {
  auto server_context = make_context({});
  auto client_context = make_client_context(Version::tls13);
  ClientSide client(*client_context);
  Server server(*server_context);
  REQUIRE(shake(client, server).client == Status::ok);
  REQUIRE(client.engine->take_session().empty());
  REQUIRE(read_all(client) == Status::want_input);
  REQUIRE_FALSE(client.engine->take_session().empty());
}

TEST_CASE("a connection that fails takes its session with it", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  auto server_context = make_context({});
  auto client_context = make_client_context(version);
  Connection connection(*client_context, *server_context);
  REQUIRE(connection.server.write(bytes_of("bad")).status == Status::ok);
  Bytes record = connection.server.take();
  record.back() ^= std::byte{1};
  connection.client.deliver(record);
  REQUIRE(connection.client.read().status == Status::failed);
  REQUIRE(connection.client.engine->take_session().empty());
}

TEST_CASE("a session is good although its connection was truncated", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  auto server_context = make_context({});
  auto client_context = make_client_context(version);
  ClientSide client(*client_context);
  Server server(*server_context);
  REQUIRE(shake(client, server).client == Status::ok);
  client.ended = true;
  REQUIRE(read_all(client) == Status::truncated);  // a ticket and the end in one read
  const Session session = client.engine->take_session();
  REQUIRE_FALSE(session.empty());
  REQUIRE(Connection(*client_context, *server_context, {.session = &session}).resumed());
}

TEST_CASE("where servers are verified, only a session of the verified server is offered", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const TempFolder folder;
  const auto root = issue({.name = "root", .is_ca = true});
  const auto leaf =
      issue({.alternative_names = "DNS:a.example,DNS:b.example,IP:192.0.2.1", .issuer = &root});
  auto server_context = make_server_context(leaf);
  tls::ClientOptions options;
  options.verification = Verification::ca_file;
  options.ca_file = folder.file("ca.pem", root.pem());
  options.terms.max_version = version;
  auto verifying = Context::create_client(options).value();
  auto same = Context::create_client(options).value();
  options.ca_file = folder.file("two.pem", root.pem() + leaf.pem());
  auto more_trusting = Context::create_client(options).value();
  auto careless = make_client_context(version);
  const auto resumes = [&](Context& context, const std::string& name, const Session& session) {
    const ClientConnect connect{.server_name = name, .session = &session};
    return Connection(context, *server_context, connect).resumed();
  };
  const std::string name = GENERATE("a.example", "192.0.2.1");
  const Session session =
      Connection(*verifying, *server_context, {.server_name = name}).client.engine->take_session();
  REQUIRE_FALSE(session.empty());
  REQUIRE(resumes(*verifying, name, session));
  REQUIRE(resumes(*same, name, session));
  REQUIRE_FALSE(resumes(*verifying, "b.example", session));
  REQUIRE_FALSE(resumes(*more_trusting, name, session));
  REQUIRE(resumes(*careless, name, session));

  const Session unverified =
      Connection(*careless, *server_context, {.server_name = name}).client.engine->take_session();
  REQUIRE_FALSE(unverified.empty());
  REQUIRE_FALSE(resumes(*verifying, name, unverified));
}

}  // namespace
}  // namespace penstock::tls::test
