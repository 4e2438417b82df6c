// The client's side of TLS against the server's, in memory: windows of every size, whom a client
// trusts, what both agree on, and how connections end.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <cstdlib>

#include "tls_engines.h"

namespace penstock::tls::test {
namespace {

std::unique_ptr<Context> make_trusting(const TempFolder& folder, const TestCertificate& authority,
                                       Version version) {
  tls::ClientOptions options;
  options.verification = Verification::ca_file;
  options.ca_file = folder.file("ca.pem", authority.pem());
  options.terms.max_version = version;
  return Context::create_client(options).value();
}

/// An authority and a certificate of it, for a.example and 192.0.2.1.
struct Site {
  TestCertificate root = issue({.name = "root", .is_ca = true});
  TestCertificate leaf = issue({.name = "leaf",
                                .alternative_names = "DNS:a.example,DNS:*.b.example,IP:192.0.2.1,"
                                                     "IP:2001:db8::1",
                                .issuer = &root});
  std::unique_ptr<Context> server = make_server_context(leaf);
};

/// OpenSSL's server, for what penstock's cannot do.
class RawServer {
 public:
  RawServer(const TestCertificate& certificate, int version)
      : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_max_proto_version(context_.get(), version);
    require_openssl(SSL_CTX_use_certificate(context_.get(), certificate.certificate.get()) == 1 &&
                    SSL_CTX_use_PrivateKey(context_.get(), certificate.key.get()) == 1);
  }
  void ask_for_certificate(const TestCertificate& authority) {
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority.certificate.get());
  }
  void start() {
    ssl_.reset(SSL_new(context_.get()));
    BIO* in = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl_.get(), in, BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_.get());
  }
  /// Shakes hands with `client` as far as it goes.
  Status shake(EngineSide& client) {
    Status status = Status::want_input;
    for (int round = 0; round < 5; ++round) {
      if (status != Status::ok) status = client.handshake();
      exchange(client);
    }
    return status;
  }
  void exchange(EngineSide& client) {
    const Bytes up = client.take();
    BIO_write(SSL_get_rbio(ssl_.get()), up.data(), static_cast<int>(up.size()));
    ERR_clear_error();
    std::array<char, 1000> plaintext{};
    std::size_t got = 0;
    while (SSL_read_ex(ssl_.get(), plaintext.data(), plaintext.size(), &got) == 1) {
      received.append(plaintext.data(), got);
    }
    Bytes down(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())));
    BIO_read(SSL_get_wbio(ssl_.get()), down.data(), static_cast<int>(down.size()));
    client.deliver(down);
  }
  [[nodiscard]] SSL* ssl() { return ssl_.get(); }
  [[nodiscard]] std::string client_subject() {
    const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    if (certificate == nullptr) return "";
    std::array<char, 100> text{};
    X509_NAME_oneline(X509_get_subject_name(certificate), text.data(), text.size());
    return text.data();
  }

  std::string received;

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

TEST_CASE("a client's handshake completes with windows of any size", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const std::size_t in = GENERATE(1U, 2U, 5U, 6U, 100U, 1500U, 65536U);
  const std::size_t out = GENERATE(1U, 2U, 3U, 31U, 97U, 1000U, 65536U);
  CAPTURE(version, in, out);
  auto server_context = make_context({});
  auto client_context = make_client_context(version);
  ClientSide client(*client_context);
  Server server(*server_context);
  client.input_limit = in;
  client.output_limit = out;
  const Ends ends = shake(client, server);
  REQUIRE(ends.client == Status::ok);
  REQUIRE(ends.server == Status::ok);
  REQUIRE(client.engine->handshake_done());
  REQUIRE(client.engine->failure().empty());
  REQUIRE(client.engine->negotiated().version == version);

  // The connection is good: a byte goes each way.
  client.output_limit = 200;
  REQUIRE(client.write(bytes_of("?")).status == Status::ok);
  REQUIRE(pass(client, server) == Status::want_input);
  REQUIRE(text_of(server.received) == "?");
  REQUIRE(server.write(bytes_of("!")).status == Status::ok);
  REQUIRE(pass(server, client) == Status::want_input);
  REQUIRE(text_of(client.received) == "!");
}

TEST_CASE("a client's first flight waits for room", "[tls]") {
  auto context = make_client_context(Version::tls13);
  ClientSide client(*context);
  client.output_limit = 0;
  REQUIRE(client.handshake() == Status::want_output);
  REQUIRE(client.output.empty());
  client.output_limit = 65536;
  REQUIRE(client.handshake() == Status::want_input);
  REQUIRE(client.output[0] == std::byte{22});  // handshake
}

TEST_CASE("what follows the handshake is left for a client's read", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  auto server_context = make_context({});
  auto client_context = make_client_context(version);
  ClientSide client(*client_context);
  Server server(*server_context);
  while (!server.engine->handshake_done()) {
    (void)client.handshake();
    server.deliver(client.take());
    if (server.handshake() == Status::ok) break;
    client.deliver(server.take());
  }
  REQUIRE(server.write(bytes_of("banner")).status == Status::ok);
  REQUIRE(server.close_notify() == Status::ok);
  client.deliver(server.take());
  client.ended = true;
  REQUIRE(client.handshake() == Status::ok);
  REQUIRE(client.input_left());
  REQUIRE(read_all(client) == Status::closed);
  REQUIRE(text_of(client.received) == "banner");
}

TEST_CASE("data goes each way unchanged through a client's windows of random sizes", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const unsigned seed = GENERATE(1U, 2U, 3U, 4U);
  CAPTURE(version, seed);
  EnginePair pair(version);
  ClientSide& client = pair.client;
  const Bytes up = random_bytes(300000, seed);
  const Bytes down = random_bytes(300000, seed + 100);
  std::mt19937 generator(seed);
  const auto below = [&](std::size_t limit) { return 1 + generator() % limit; };
  const std::size_t largest = seed <= 2 ? 600 : 40000;
  std::size_t sent_up = 0;
  std::size_t sent_down = 0;
  while (pair.server.received.size() < up.size() || client.received.size() < down.size()) {
    client.input_limit = below(largest);
    client.output_limit = below(largest);
    const Outcome read = client.read(below(largest));
    REQUIRE((read.status == Status::ok || read.status == Status::want_input));
    client.output_limit = below(largest);
    const auto rest = std::span(up).subspan(sent_up);
    const Outcome write = client.write(rest.first(std::min(rest.size(), below(largest))));
    REQUIRE((write.status == Status::ok || write.status == Status::want_output));
    sent_up += write.bytes;
    REQUIRE(client.output.size() <= write.bytes + 96 * (1 + write.bytes / 1024));
    REQUIRE(pass(client, pair.server) == Status::want_input);
    const auto rest_down = std::span(down).subspan(sent_down);
    const std::size_t size = std::min(rest_down.size(), below(largest));
    sent_down += pair.server.write(rest_down.first(size)).bytes;
    client.deliver(pair.server.take());
  }
  REQUIRE(pair.server.received == up);
  REQUIRE(client.received == down);
}

TEST_CASE("close_notify ends one direction at a time, from either side", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const bool client_first = GENERATE(true, false);
  EnginePair pair(version);
  EngineSide& first = client_first ? static_cast<EngineSide&>(pair.client) : pair.server;
  EngineSide& second = client_first ? static_cast<EngineSide&>(pair.server) : pair.client;
  REQUIRE(first.write(bytes_of("bye")).status == Status::ok);
  REQUIRE(first.close_notify() == Status::ok);
  second.ended = true;
  REQUIRE(pass(first, second) == Status::closed);
  REQUIRE(text_of(second.received) == "bye");
  REQUIRE(second.write(bytes_of("and on")).status == Status::ok);
  REQUIRE(second.close_notify() == Status::ok);
  REQUIRE(pass(second, first) == Status::closed);
  REQUIRE(text_of(first.received) == "and on");
  REQUIRE_FALSE(first.engine->alert().has_value());
  REQUIRE(first.engine->failure().empty());
}

TEST_CASE("an end in the middle of a client's handshake is a truncation", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const std::size_t kept = GENERATE(0U, 1U, 5U, 60U, 300U);
  auto server_context = make_context({});
  auto client_context = make_client_context(version);
  ClientSide client(*client_context);
  Server server(*server_context);
  REQUIRE(client.handshake() == Status::want_input);
  server.deliver(client.take());
  (void)server.handshake();
  Bytes flight = server.take();
  REQUIRE(flight.size() > kept);
  flight.resize(kept);
  client.deliver(flight);
  client.ended = true;
  REQUIRE(client.handshake() == Status::truncated);
  REQUIRE(client.engine->failure() == "the peer ended the connection during the handshake");
  REQUIRE_FALSE(client.engine->alert().has_value());
}

TEST_CASE("a FIN without close_notify is a truncation for a client, too", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  EnginePair pair(version);
  REQUIRE(pair.server.write(bytes_of("half a mess")).status == Status::ok);
  pair.client.ended = true;
  REQUIRE(pass(pair.server, pair.client) == Status::truncated);
  REQUIRE(text_of(pair.client.received) == "half a mess");
  REQUIRE(pair.client.engine->failure() == "the peer ended the connection without close_notify");
  (void)pair.client.take();
  REQUIRE(pair.client.close_notify() == Status::truncated);
  REQUIRE(pair.client.output.empty());
}

TEST_CASE("noise instead of a ServerHello fails a client", "[tls]") {
  const unsigned seed = GENERATE(range(1U, 40U));
  auto context = make_client_context(Version::tls13);
  ClientSide client(*context);
  (void)client.handshake();
  client.deliver(random_bytes(std::size_t{50} * seed, seed));
  client.ended = true;
  const Status status = client.handshake();
  REQUIRE((status == Status::failed || status == Status::truncated));
  REQUIRE_FALSE(client.engine->failure().empty());
}

TEST_CASE("a changed byte is told to the other side by alert, whichever side that is", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const bool to_client = GENERATE(true, false);
  EnginePair pair(version);
  EngineSide& from = to_client ? static_cast<EngineSide&>(pair.server) : pair.client;
  EngineSide& to = to_client ? static_cast<EngineSide&>(pair.client) : pair.server;
  REQUIRE(from.write(bytes_of("bad")).status == Status::ok);
  Bytes record = from.take();
  record.back() ^= std::byte{1};
  to.deliver(record);
  REQUIRE(to.read().status == Status::failed);
  REQUIRE(to.engine->failure() == "decryption failed or bad record mac");
  REQUIRE_FALSE(to.engine->alert().has_value());
  REQUIRE(pass(to, from) == Status::failed);
  REQUIRE(from.engine->alert() == 20);
  REQUIRE(from.engine->failure().ends_with("alert bad record mac"));
}

TEST_CASE("a client that is too old for the server gets its alert", "[tls]") {
  ServerOptions options;
  options.terms.min_version = Version::tls13;
  auto server_context = make_context(std::move(options));
  auto client_context = make_client_context(Version::tls12);
  ClientSide client(*client_context);
  Server server(*server_context);
  const Ends ends = shake(client, server);
  REQUIRE(ends.server == Status::failed);
  REQUIRE(server.engine->failure() == "unsupported protocol");
  REQUIRE_FALSE(server.engine->alert().has_value());
  REQUIRE(ends.client == Status::failed);
  REQUIRE(client.engine->failure() == "tlsv1 alert protocol version");
  REQUIRE(client.engine->alert() == 70);
}

TEST_CASE("a client verifies authority, name and dates", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const TempFolder folder;
  const Site site;
  struct Case {
    std::string name;
    std::string failure;  ///< behind "certificate verify failed: "; empty: it is trusted
  };
  const Case which =
      GENERATE(Case{"a.example", ""},              //
               Case{"A.Example.", ""},             // neither case nor the dot counts
               Case{"x.b.example", ""},            //
               Case{"192.0.2.1", ""},              //
               Case{"2001:db8::1", ""},            //
               Case{"leaf", "hostname mismatch"},  // the subject's CN is no name
               Case{"b.example", "hostname mismatch"}, Case{"x.y.b.example", "hostname mismatch"},
               Case{"192.0.2.2", "IP address mismatch"});
  CAPTURE(which.name);
  auto client_context = make_trusting(folder, site.root, version);
  ClientSide client(*client_context, {.server_name = which.name});
  Server server(*site.server);
  const Ends ends = shake(client, server);
  if (which.failure.empty()) {
    REQUIRE(ends.client == Status::ok);
    REQUIRE(ends.server == Status::ok);
    return;
  }
  REQUIRE(ends.client == Status::failed);
  REQUIRE(client.engine->failure() == "certificate verify failed: " + which.failure);
  REQUIRE_FALSE(client.engine->alert().has_value());
  REQUIRE(ends.server == Status::failed);
  REQUIRE(server.engine->alert() == 42);  // bad_certificate
}

TEST_CASE("a server of an unknown authority is not trusted", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const TempFolder folder;
  const Site site;
  const auto other = issue({.name = "other", .is_ca = true});
  auto client_context = make_trusting(folder, other, version);
  ClientSide client(*client_context, {.server_name = "a.example"});
  Server server(*site.server);
  const Ends ends = shake(client, server);
  REQUIRE(ends.client == Status::failed);
  REQUIRE(client.engine->failure() ==
          "certificate verify failed: unable to get local issuer certificate");
  REQUIRE(ends.server == Status::failed);
  REQUIRE(server.engine->failure() == "tlsv1 alert unknown ca");
  REQUIRE(server.engine->alert() == 48);
}

TEST_CASE("an expired certificate is not trusted", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const TempFolder folder;
  const Site site;
  const std::time_t past = now_seconds - 30 * one_day;
  const auto expired = make_certificate({.alternative_names = "DNS:a.example",
                                         .issuer = &site.root,
                                         .not_before = past - one_day,
                                         .not_after = past});
  auto server_context = make_server_context(expired);
  auto client_context = make_trusting(folder, site.root, version);
  ClientSide client(*client_context, {.server_name = "a.example"});
  Server server(*server_context);
  const Ends ends = shake(client, server);
  REQUIRE(ends.client == Status::failed);
  REQUIRE(client.engine->failure() == "certificate verify failed: certificate has expired");
  REQUIRE(server.engine->alert() == 45);  // certificate_expired
}

TEST_CASE("a certificate that signed itself, or an intermediate one, can be trusted by file",
          "[tls]") {
  const TempFolder folder;
  SECTION("the demo's") {
    ServerOptions options;
    const auto today = std::chrono::system_clock::now();
    options.certificates.push_back(Identity::make_self_signed("demo", today).value());
    tls::ClientOptions trusting;
    trusting.verification = Verification::ca_file;
    trusting.ca_file = folder.file("demo.pem", options.certificates[0].chain_pem());
    auto client_context = Context::create_client(trusting).value();
    auto server_context = make_context(std::move(options));
    const std::string name = GENERATE("localhost", "127.0.0.1", "::1");
    ClientSide client(*client_context, {.server_name = name});
    Server server(*server_context);
    REQUIRE(shake(client, server).client == Status::ok);
  }
  SECTION("an intermediate, without its root") {
    const auto root = issue({.name = "root", .is_ca = true});
    const auto middle = issue({.name = "middle", .issuer = &root, .is_ca = true});
    const auto leaf = issue({.alternative_names = "DNS:a.example", .issuer = &middle});
    auto client_context = make_trusting(folder, middle, Version::tls13);
    auto server_context = make_server_context(leaf);
    ClientSide client(*client_context, {.server_name = "a.example"});
    Server server(*server_context);
    REQUIRE(shake(client, server).client == Status::ok);
  }
}

TEST_CASE("the system's store is asked when nothing else is said", "[tls]") {
  const TempFolder folder;
  const Site site;
  const bool in_store = GENERATE(true, false);
  const auto other = issue({.name = "other", .is_ca = true});
  const auto& stored = in_store ? site.root : other;
  // OpenSSL's own way to name another store.
  REQUIRE(::setenv("SSL_CERT_FILE", folder.file("store.pem", stored.pem()).c_str(), 1) == 0);
  auto client_context = Context::create_client({}).value();
  REQUIRE(::unsetenv("SSL_CERT_FILE") == 0);
  ClientSide client(*client_context, {.server_name = "a.example"});
  Server server(*site.server);
  REQUIRE(shake(client, server).client == (in_store ? Status::ok : Status::failed));
}

TEST_CASE("a CA file that is none is an error that names it", "[tls]") {
  const TempFolder folder;
  tls::ClientOptions options;
  options.verification = Verification::ca_file;
  options.ca_file = folder.path("missing.pem");
  REQUIRE(Context::create_client(options).error().message ==
          "cannot open " + options.ca_file + ": No such file or directory");
  options.ca_file = folder.file("empty.pem", "nothing here\n");
  REQUIRE(Context::create_client(options).error().message ==
          options.ca_file + " holds no certificate in PEM form");
}

TEST_CASE("a server's name is a host name or an address, and given where it is verified", "[tls]") {
  const TempFolder folder;
  const Site site;
  auto trusting = make_trusting(folder, site.root, Version::tls13);
  REQUIRE(Engine::create_client(*trusting, {}).error().message ==
          "a TLS server cannot be verified without its name");
  auto careless = make_client_context(Version::tls13);
  REQUIRE(Engine::create_client(*careless, {}).has_value());
  const std::string wrong =
      GENERATE(std::string("b\xc3\xbc.example"), std::string("a b"), std::string("a\0b", 3),
               std::string("fe80::1%eth0"), std::string("."), std::string(254, 'a'));
  for (Context* context : {trusting.get(), careless.get()}) {
    const auto engine = Engine::create_client(*context, {.server_name = wrong});
    REQUIRE_FALSE(engine.has_value());
    REQUIRE_FALSE(engine.error().message.empty());
  }
}

TEST_CASE("a client's server name chooses the certificate, an address is not sent", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const TempFolder folder;
  const auto root = issue({.name = "root", .is_ca = true});
  const auto first = issue({.alternative_names = "DNS:a.example,IP:192.0.2.1", .issuer = &root});
  const auto second = issue({.alternative_names = "DNS:b.example", .issuer = &root});
  ServerOptions options;
  options.certificates.push_back(identity_of(first));
  options.certificates.push_back(identity_of(second));
  auto server_context = make_context(std::move(options));
  auto client_context = make_trusting(folder, root, version);
  const std::string name = GENERATE("a.example", "b.example", "192.0.2.1");
  ClientSide client(*client_context, {.server_name = name});
  Server server(*server_context);
  (void)client.handshake();
  const Bytes hello = client.take();
  REQUIRE((text_of(hello).find(name) != std::string::npos) == name.ends_with("example"));
  server.deliver(hello);
  const Ends ends = shake(client, server);
  REQUIRE(ends.client == Status::ok);
  REQUIRE(ends.server == Status::ok);
}

TEST_CASE("both sides tell the protocol that ALPN chose", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  ServerOptions options;
  options.alpn = {"h2", "http/1.1"};
  auto server_context = make_context(std::move(options));
  Server server(*server_context);
  SECTION("one that both have") {
    auto client_context = make_client_context(version, {.alpn = {"foo", "http/1.1"}});
    ClientSide client(*client_context);
    REQUIRE(shake(client, server).client == Status::ok);
    REQUIRE(client.engine->negotiated().protocol == "http/1.1");
    REQUIRE(server.engine->negotiated().protocol == "http/1.1");
  }
  SECTION("none was offered") {
    auto client_context = make_client_context(version);
    ClientSide client(*client_context);
    REQUIRE(shake(client, server).client == Status::ok);
    REQUIRE(client.engine->negotiated().protocol.empty());
    REQUIRE(server.engine->negotiated().protocol.empty());
  }
  SECTION("no overlap is an alert") {
    auto client_context = make_client_context(version, {.alpn = {"foo"}});
    ClientSide client(*client_context);
    REQUIRE(shake(client, server).client == Status::failed);
    REQUIRE(client.engine->failure() == "tlsv1 alert no application protocol");
    REQUIRE(client.engine->alert() == 120);
  }
}

TEST_CASE("both sides tell the cipher and the group that were agreed on", "[tls]") {
  auto server_context = make_context({});
  Server server(*server_context);
  SECTION("TLS 1.2") {
    auto client_context = make_client_context(
        Version::tls12, {.terms = {.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305", .groups = "P-256"}});
    ClientSide client(*client_context);
    REQUIRE(shake(client, server).client == Status::ok);
    for (const Engine* engine : {client.engine.get(), server.engine.get()}) {
      const Negotiated agreed = engine->negotiated();
      REQUIRE(agreed.version == Version::tls12);
      REQUIRE(agreed.cipher == "ECDHE-ECDSA-CHACHA20-POLY1305");
      REQUIRE(agreed.group == "secp256r1");
      REQUIRE_FALSE(agreed.resumed);
      REQUIRE_FALSE(agreed.hello_retried);
    }
  }
  SECTION("TLS 1.3") {
    auto client_context = make_client_context(
        Version::tls13, {.terms = {.cipher_suites = "TLS_AES_256_GCM_SHA384", .groups = "X25519"}});
    ClientSide client(*client_context);
    REQUIRE(shake(client, server).client == Status::ok);
    for (const Engine* engine : {client.engine.get(), server.engine.get()}) {
      const Negotiated agreed = engine->negotiated();
      REQUIRE(agreed.version == Version::tls13);
      REQUIRE(agreed.cipher == "TLS_AES_256_GCM_SHA384");
      REQUIRE(agreed.group == "x25519");
      REQUIRE_FALSE(agreed.resumed);
      REQUIRE_FALSE(agreed.hello_retried);
    }
  }
  SECTION("what a client offers by itself") {
    auto client_context = make_client_context(Version::tls13);
    ClientSide client(*client_context);
    REQUIRE(shake(client, server).client == Status::ok);
    const bool hybrid = OpenSSL_version_num() >= 0x30500000UL;
    REQUIRE(client.engine->negotiated().group == (hybrid ? "X25519MLKEM768" : "x25519"));
    REQUIRE_FALSE(client.engine->negotiated().hello_retried);
  }
}

TEST_CASE("a client tells that it had to say hello twice", "[tls]") {
  auto server_context = make_context({});
  auto client_context = make_client_context(Version::tls13, {.terms = {.groups = "P-521:P-256"}});
  ClientSide client(*client_context);
  Server server(*server_context);
  REQUIRE(shake(client, server).client == Status::ok);
  REQUIRE(client.engine->negotiated().hello_retried);
  REQUIRE(client.engine->negotiated().group == "secp256r1");
}

TEST_CASE("a client without an algorithm in common gets an alert", "[tls]") {
  auto server_context = make_context({});
  Server server(*server_context);
  const bool by_group = GENERATE(true, false);
  auto client_context =
      by_group ? make_client_context(Version::tls13, {.terms = {.groups = "P-521"}})
               : make_client_context(Version::tls12, {.terms = {.ciphers = "AES128-GCM-SHA256"}});
  ClientSide client(*client_context);
  REQUIRE(shake(client, server).client == Status::failed);
  REQUIRE(client.engine->alert() == 40);  // handshake_failure
}

TEST_CASE("a client's signature algorithms bind the server", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  auto server_context = make_context({});  // P-256
  const bool usable = GENERATE(true, false);
  auto client_context = make_client_context(
      version,
      {.terms = {.signature_algorithms = usable ? "ECDSA+SHA256" : "rsa_pss_rsae_sha256"}});
  ClientSide client(*client_context);
  Server server(*server_context);
  REQUIRE(shake(client, server).client == (usable ? Status::ok : Status::failed));
}

TEST_CASE("what OpenSSL refuses is named", "[tls]") {
  struct Case {
    tls::ClientOptions options;
    std::string start;
  };
  std::vector<Case> cases;
  cases.push_back({{.terms = {.ciphers = "NO-SUCH"}}, "refuses the TLS 1.2 ciphers \"NO-SUCH\": "});
  cases.push_back({{.terms = {.cipher_suites = "TLS_NONE"}},
                   "refuses the TLS 1.3 cipher suites \"TLS_NONE\": "});
  cases.push_back({{.terms = {.groups = "X25519:P-11"}}, "refuses the groups \"X25519:P-11\": "});
  cases.push_back({{.terms = {.signature_algorithms = "rsa_of_mine"}},
                   "refuses the signature algorithms \"rsa_of_mine\": "});
  for (auto& [options, start] : cases) {
    CAPTURE(start);
    options.verification = Verification::off;
    const auto context = Context::create_client(options);
    REQUIRE_FALSE(context.has_value());
    const std::string& message = context.error().message;
    CAPTURE(message);
    REQUIRE(message.starts_with("OpenSSL 3."));
    const std::size_t at = message.find(start);
    REQUIRE(at != std::string::npos);
    REQUIRE(at + start.size() < message.size());
  }
  REQUIRE(Context::create_client({.alpn = {""}}).error().message ==
          "the ALPN protocol \"\" has 0 bytes: a protocol's name has 1 to 255");
  REQUIRE(Context::create_client(
              {.terms = {.min_version = Version::tls13, .max_version = Version::tls12}})
              .error()
              .message == "the lowest TLS version of a client is above its highest");
}

TEST_CASE("a client shows its certificate to a server that asks", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const int number = version == Version::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  const bool has_one = GENERATE(true, false);
  const Site site;
  tls::ClientOptions options;
  if (has_one) options.identity = identity_of(issue({.name = "me", .issuer = &site.root}));
  auto context = make_client_context(version, std::move(options));
  RawServer server(site.leaf, number);
  server.ask_for_certificate(site.root);
  server.start();
  ClientSide client(*context);
  Status status = server.shake(client);
  if (has_one) {
    REQUIRE(status == Status::ok);
    REQUIRE(server.client_subject() == "/CN=me");
    return;
  }
  // A client of TLS 1.3 is done before the server has seen that there is none.
  if (version == Version::tls13) {
    REQUIRE(status == Status::ok);
    status = read_all(client);
  }
  REQUIRE(status == Status::failed);
  // certificate_required, which TLS 1.2 does not have: handshake_failure there.
  REQUIRE(client.engine->alert() == (version == Version::tls13 ? 116 : 40));
}

TEST_CASE("a server that does not ask does not see a client's certificate", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Site site;
  tls::ClientOptions options;
  options.identity = identity_of(site.leaf);
  auto client_context = make_client_context(version, std::move(options));
  ClientSide client(*client_context);
  Server server(*site.server);
  REQUIRE(shake(client, server).client == Status::ok);
}

TEST_CASE("a client answers a KeyUpdate request with what it writes next, all in the output",
          "[tls]") {
  const std::size_t room = GENERATE(97U, 100U, 125U, 150U, 300U, 16500U, 65536U);
  CAPTURE(room);
  const Site site;
  auto context = make_client_context(Version::tls13);
  RawServer server(site.leaf, TLS1_3_VERSION);
  server.start();
  ClientSide client(*context);
  REQUIRE(server.shake(client) == Status::ok);
  const std::string text = text_of(random_bytes(20000, 1));
  std::size_t sent = 0;
  while (sent < text.size()) {
    REQUIRE(SSL_key_update(server.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_write(server.ssl(), "ping", 4) == 4);
    client.output_limit = 0;
    server.exchange(client);
    REQUIRE(read_all(client) == Status::want_input);
    client.output_limit = room;
    sent += client.write(bytes_of(text.substr(sent))).bytes;
    server.exchange(client);
    REQUIRE(server.received.size() == sent);
  }
  REQUIRE(server.received == text);
  REQUIRE(client.engine->failure().empty());
}

TEST_CASE("a client declines to renegotiate with a warning, and the data goes on", "[tls]") {
  const Site site;
  auto context = make_client_context(Version::tls12);
  RawServer server(site.leaf, TLS1_2_VERSION);
  server.start();
  ClientSide client(*context);
  REQUIRE(server.shake(client) == Status::ok);
  REQUIRE(SSL_renegotiate(server.ssl()) == 1);
  REQUIRE(SSL_write(server.ssl(), "on", 2) <= 2);
  server.exchange(client);
  REQUIRE(read_all(client) == Status::want_input);
  REQUIRE_FALSE(client.output.empty());
  REQUIRE(client.write(bytes_of("still here")).status == Status::ok);
  REQUIRE(client.engine->failure().empty());
}

}  // namespace
}  // namespace penstock::tls::test
