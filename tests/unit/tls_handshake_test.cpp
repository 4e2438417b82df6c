// Handshakes: versions, windows of every size, certificates by name, ALPN, tickets, and what goes
// wrong.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "tls_client.h"

namespace penstock::tls::test {
namespace {

Identity load_identity(const TempFolder& folder, const TestCertificate& from) {
  return Identity::load(folder.file("chain.pem", from.pem()),
                        folder.file("key.pem", from.key_pem()), now)
      .value();
}

Identity identity_for(const TempFolder& folder, const std::string& name, const std::string& names) {
  return load_identity(folder, make_certificate({.name = name, .alternative_names = names}));
}

TEST_CASE("a handshake completes with windows of any size", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const std::size_t in = GENERATE(1U, 2U, 5U, 6U, 100U, 1500U, 65536U);
  const std::size_t out = GENERATE(1U, 2U, 3U, 31U, 97U, 1000U, 65536U);
  CAPTURE(version, in, out);
  auto context = make_context({});
  Client client({.version = version});
  Server server(*context);
  server.input_limit = in;
  server.output_limit = out;
  REQUIRE(run_handshake(client, server) == Status::ok);
  REQUIRE(server.engine->handshake_done());
  REQUIRE(SSL_version(client.ssl()) == version);
  REQUIRE(client.error().empty());
  REQUIRE(server.engine->failure().empty());

  // The connection is good: a byte goes each way.
  client.write(bytes_of("?"));
  server.deliver(client.take());
  while (server.received.empty() && server.input_left()) (void)server.read();
  REQUIRE(text_of(server.received) == "?");
  server.output_limit = 200;
  REQUIRE(server.write(bytes_of("!")).status == Status::ok);
  client.deliver(server.take());
  client.read();
  REQUIRE(text_of(client.received) == "!");
}

TEST_CASE("a handshake whose output was never empty waits for room and loses nothing", "[tls]") {
  auto context = make_context({});
  Client client;
  Server server(*context);
  server.output_limit = 0;
  client.handshake();
  server.deliver(client.take());
  REQUIRE(server.handshake() == Status::want_output);
  REQUIRE(server.handshake() == Status::want_output);
  REQUIRE(server.output.empty());
  server.output_limit = 65536;
  REQUIRE(run_handshake(client, server) == Status::ok);
}

TEST_CASE("application data in the same input as Finished is left for read", "[tls]") {
  auto context = make_context({});
  Client client;
  Server server(*context);
  client.handshake();
  server.deliver(client.take());
  REQUIRE(server.handshake() == Status::want_input);
  client.deliver(server.take());
  REQUIRE(client.handshake());
  client.write(bytes_of("early bird"));
  client.close_notify();
  server.deliver(client.take());
  server.ended = true;
  REQUIRE(server.handshake() == Status::ok);
  REQUIRE(server.input_left());
  const Outcome outcome = server.read();
  REQUIRE(outcome.status == Status::closed);
  REQUIRE(text_of(server.received) == "early bird");
}

TEST_CASE("a listener that begins at TLS 1.3 refuses a TLS 1.2 client with an alert", "[tls]") {
  ServerOptions options;
  options.terms.min_version = Version::tls13;
  auto context = make_context(std::move(options));
  Client old({.version = TLS1_2_VERSION});
  Server server(*context);
  REQUIRE(run_handshake(old, server) == Status::failed);
  REQUIRE(server.engine->failure() == "unsupported protocol");
  REQUIRE(old.error() == "tlsv1 alert protocol version");
}

TEST_CASE("TLS 1.1 is refused", "[tls]") {
  auto context = make_context({});
  Client old({.version = TLS1_1_VERSION});
  SSL_set_security_level(old.ssl(), 0);
  Server server(*context);
  REQUIRE(run_handshake(old, server) == Status::failed);
  REQUIRE(server.engine->failure() == "unsupported protocol");
}

TEST_CASE("only AEAD suites with forward secrecy are agreed on", "[tls]") {
  const std::string cipher = GENERATE("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384",
                                      "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256");
  CAPTURE(cipher);
  auto context = make_context({});
  Client client({.version = TLS1_2_VERSION});
  REQUIRE(SSL_set_cipher_list(client.ssl(), cipher.c_str()) == 1);
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::failed);
  REQUIRE(server.engine->failure() == "no shared cipher");
}

TEST_CASE("the server's preference decides the cipher, the key exchange is one of the listed",
          "[tls]") {
  auto context = make_context({});
  const std::string group = GENERATE("X25519", "P-256");
  Client client({.groups = group});
  SSL_set_ciphersuites(client.ssl(), "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  REQUIRE(std::string(SSL_get_cipher_name(client.ssl())) == "TLS_AES_128_GCM_SHA256");

  Client stranger({.groups = "P-521"});
  Server refusing(*context);
  REQUIRE(run_handshake(stranger, refusing) == Status::failed);
}

TEST_CASE("the hybrid with ML-KEM is agreed on where OpenSSL has it", "[tls]") {
  auto context = make_context({});
  Client client;
  const bool known = SSL_set1_groups_list(client.ssl(), "X25519MLKEM768") == 1;
  REQUIRE(known == (OpenSSL_version_num() >= 0x30500000UL));
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
}

TEST_CASE("a client that asks first for another group is told to retry", "[tls]") {
  auto context = make_context({});
  Client client({.groups = "P-521:P-256"});
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
}

TEST_CASE("garbage instead of a ClientHello fails", "[tls]") {
  auto context = make_context({});
  Server server(*context);
  SECTION("a record with nonsense in it is answered with an alert") {
    server.deliver(bytes_of(std::string("\x16\x03\x01\x00\x08\x01\x00\x00\x04nope", 13)));
    REQUIRE(server.handshake() == Status::failed);
    REQUIRE(server.output.size() == 7);
    REQUIRE(server.output[0] == std::byte{21});  // alert
    REQUIRE(server.output[5] == std::byte{2});   // fatal
  }
  SECTION("the alert comes out later when there was no room for it") {
    server.output_limit = 3;
    server.deliver(bytes_of(std::string("\x16\x03\x01\x00\x08\x01\x00\x00\x04nope", 13)));
    REQUIRE(server.handshake() == Status::failed);
    REQUIRE(server.output.size() == 3);
    REQUIRE(server.handshake() == Status::failed);
    REQUIRE(server.handshake() == Status::failed);
    REQUIRE(server.output.size() == 7);
  }
  SECTION("HTTP is recognised") {
    server.deliver(bytes_of("GET / HTTP/1.1\r\n\r\n"));
    REQUIRE(server.handshake() == Status::failed);
    REQUIRE(server.engine->failure() == "http request");
  }
  SECTION("noise of any size") {
    const unsigned seed = GENERATE(range(1U, 40U));
    server.deliver(random_bytes(std::size_t{50} * seed, seed));
    server.ended = true;
    const Status status = server.handshake();
    REQUIRE((status == Status::failed || status == Status::truncated));
    REQUIRE_FALSE(server.engine->failure().empty());
  }
  REQUIRE_FALSE(server.engine->handshake_done());
}

TEST_CASE("a damaged ClientHello never completes", "[tls]") {
  auto context = make_context({});
  const unsigned seed = GENERATE(range(1U, 60U));
  Client client;
  Server server(*context);
  client.handshake();
  Bytes hello = client.take();
  std::mt19937 generator(seed);
  // Behind the 32 random bytes and the session id, which may have any value.
  const std::size_t place = 76 + generator() % (hello.size() - 76);
  hello.resize(place);
  server.deliver(hello);
  server.ended = true;
  REQUIRE(server.handshake() == Status::truncated);
}

TEST_CASE("an end in the middle of the handshake is a truncation", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  auto context = make_context({});
  Client client({.version = version});
  Server server(*context);
  SECTION("before the first byte") {}
  SECTION("inside the ClientHello") {
    client.handshake();
    Bytes hello = client.take();
    hello.resize(hello.size() / 2);
    server.deliver(hello);
  }
  SECTION("after the server's flight") {
    client.handshake();
    server.deliver(client.take());
    REQUIRE(server.handshake() == Status::want_input);
  }
  server.ended = true;
  REQUIRE(server.handshake() == Status::truncated);
  REQUIRE(server.engine->failure() == "the peer ended the connection during the handshake");
  REQUIRE(server.handshake() == Status::truncated);
}

TEST_CASE("a client that does not trust the certificate is quoted", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  auto context = make_context({});
  const std::string other = make_certificate({.name = "other", .is_ca = true}).pem();
  Client client({.version = version, .trust_pem = other});
  Server server(*context);
  client.handshake();
  server.deliver(client.take());
  REQUIRE(server.handshake() == Status::want_input);
  client.deliver(server.take());
  REQUIRE_FALSE(client.handshake());
  REQUIRE(client.error() == "certificate verify failed");
  server.deliver(client.take());
  REQUIRE(server.handshake() == Status::failed);
  REQUIRE(server.engine->failure() == "tlsv1 alert unknown ca");
}

TEST_CASE("a client that trusts the self-signed certificate accepts it for localhost", "[tls]") {
  ServerOptions options;
  const auto real_now = std::chrono::system_clock::now();
  options.certificates.push_back(Identity::make_self_signed("demo", real_now).value());
  const std::string pem = options.certificates[0].chain_pem();
  auto context = make_context(std::move(options));
  Client client({.trust_pem = pem});
  REQUIRE(SSL_set1_host(client.ssl(), "localhost") == 1);
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  REQUIRE(SSL_get_verify_result(client.ssl()) == X509_V_OK);
}

TEST_CASE("ALPN picks the first of our protocols that the client offers", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  ServerOptions options;
  options.alpn = {"h2", "http/1.1"};
  auto context = make_context(std::move(options));
  Server server(*context);
  SECTION("our order counts, not the client's") {
    Client client({.version = version, .alpn = "\x08http/1.1\x02h2"});
    REQUIRE(run_handshake(client, server) == Status::ok);
    REQUIRE(client.protocol() == "h2");
  }
  SECTION("the second when the first is not offered") {
    Client client({.version = version,
                   .alpn = "\x03"
                           "foo\x08http/1.1"});
    REQUIRE(run_handshake(client, server) == Status::ok);
    REQUIRE(client.protocol() == "http/1.1");
  }
  SECTION("no overlap ends the handshake") {
    Client client({.version = version,
                   .alpn = "\x03"
                           "foo"});
    REQUIRE(run_handshake(client, server) == Status::failed);
    REQUIRE(server.engine->failure() == "no application protocol");
    REQUIRE(client.error() == "tlsv1 alert no application protocol");
  }
  SECTION("a client without the extension is welcome") {
    Client client({.version = version});
    REQUIRE(run_handshake(client, server) == Status::ok);
    REQUIRE(client.protocol().empty());
  }
}

TEST_CASE("without protocols of ours the extension is ignored", "[tls]") {
  auto context = make_context({});
  Client client({.alpn = "\x02h2"});
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  REQUIRE(client.protocol().empty());
}

TEST_CASE("an impossible protocol name is an error", "[tls]") {
  ServerOptions options;
  options.certificates.push_back(Identity::make_self_signed("x", now).value());
  options.alpn = {""};
  REQUIRE(Context::create_server(options).error().message ==
          "the ALPN protocol \"\" has 0 bytes: a protocol's name has 1 to 255");
  options.alpn = {std::string(256, 'a')};
  REQUIRE_FALSE(Context::create_server(options).has_value());
  options.certificates.clear();
  REQUIRE(Context::create_server(options).error().message ==
          "a TLS listener needs at least one certificate");
}

TEST_CASE("the certificate is chosen by the server's name", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const TempFolder folder;
  ServerOptions options;
  options.alpn = {"h2"};
  options.certificates.push_back(identity_for(folder, "first", "DNS:a.example,DNS:www.a.example"));
  options.certificates.push_back(identity_for(folder, "second", "DNS:*.b.example,IP:127.0.0.1"));
  options.certificates.push_back(
      identity_for(folder, "third", "DNS:Exact.b.example,DNS:a.example"));
  auto context = make_context(std::move(options));
  struct Case {
    std::string name;
    std::string subject;
  };
  const Case which = GENERATE(Case{"a.example", "/CN=first"},        // the first owner keeps it
                              Case{"www.a.example", "/CN=first"},    //
                              Case{"x.b.example", "/CN=second"},     // one wildcard label
                              Case{"X.B.Example", "/CN=second"},     // case does not count
                              Case{"exact.b.example", "/CN=third"},  // exact beats wildcard
                              Case{"y.x.b.example", "/CN=first"},    // two labels: no match
                              Case{"b.example", "/CN=first"},        // no label: no match
                              Case{"unknown.example", "/CN=first"},  //
                              Case{"", "/CN=first"});
  CAPTURE(which.name);
  Client client({.version = version, .server_name = which.name, .alpn = "\x02h2"});
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  REQUIRE(client.server_subject() == which.subject);
  REQUIRE(client.protocol() == "h2");
}

TEST_CASE("a certificate whose names cannot be read is refused", "[tls]") {
  const TempFolder folder;
  ServerOptions options;
  options.certificates.push_back(identity_for(folder, "broken", "DER:30:03:82:05:61"));
  const auto context = Context::create_server(options);
  REQUIRE_FALSE(context.has_value());
  REQUIRE(context.error().message.starts_with("cannot set up TLS: "));
}

TEST_CASE("the whole chain is served, in order", "[tls]") {
  const TempFolder folder;
  const auto root = make_certificate({.name = "root", .is_ca = true});
  const auto middle = make_certificate({.name = "middle", .issuer = &root, .is_ca = true});
  const auto leaf = make_certificate({.name = "leaf", .issuer = &middle});
  const auto chain = folder.file("chain.pem", leaf.pem() + root.pem() + middle.pem());
  ServerOptions options;
  options.certificates.push_back(
      Identity::load(chain, folder.file("key.pem", leaf.key_pem()), now).value());
  auto context = make_context(std::move(options));
  Client client;
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  STACK_OF(X509)* served = SSL_get_peer_cert_chain(client.ssl());
  REQUIRE(sk_X509_num(served) == 3);
  REQUIRE(X509_cmp(sk_X509_value(served, 0), leaf.certificate.get()) == 0);
  REQUIRE(X509_cmp(sk_X509_value(served, 1), middle.certificate.get()) == 0);
  REQUIRE(X509_cmp(sk_X509_value(served, 2), root.certificate.get()) == 0);
}

TEST_CASE("an RSA certificate is served too", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const TempFolder folder;
  ServerOptions options;
  options.certificates.push_back(
      load_identity(folder, make_certificate({.name = "rsa", .rsa_bits = 2048})));
  auto context = make_context(std::move(options));
  Client client({.version = version});
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  REQUIRE(client.server_subject() == "/CN=rsa");
}

TEST_CASE("a ticket is good on every context with the same certificates, and on no other",
          "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  ServerOptions options;
  options.certificates.push_back(Identity::make_self_signed("x", now).value());
  auto one = Context::create_server(options).value();
  auto another = Context::create_server(options).value();
  auto foreign = make_context({});
  Client first({.version = version});
  Server first_server(*one);
  REQUIRE(run_handshake(first, first_server) == Status::ok);
  REQUIRE(SSL_session_reused(first.ssl()) == 0);
  first.read();  // TLS 1.3: the ticket
  SSL_SESSION* session = first.session();

  const bool same = GENERATE(true, false);
  Context& where = same ? *another : *foreign;
  Client second({.version = version, .session = session});
  Server second_server(where);
  REQUIRE(run_handshake(second, second_server) == Status::ok);
  REQUIRE(SSL_session_reused(second.ssl()) == (same ? 1 : 0));
}

TEST_CASE("two tickets are sent after a TLS 1.3 handshake", "[tls]") {
  auto context = make_context({});
  Client client;
  static int tickets = 0;
  tickets = 0;
  SSL_set_msg_callback(
      client.ssl(), [](int sent, int, int type, const void* data, std::size_t size, SSL*, void*) {
        const bool ticket = sent == 0 && type == SSL3_RT_HANDSHAKE && size > 0 &&
                            *static_cast<const unsigned char*>(data) == SSL3_MT_NEWSESSION_TICKET;
        if (ticket) ++tickets;
      });
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  client.read();
  REQUIRE(tickets == 2);
}

}  // namespace
}  // namespace penstock::tls::test
