// Which certificate a client is shown, by the name that it asks for and the keys that it takes.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "tls_engines.h"

namespace penstock::tls::test {
namespace {

struct Named {
  std::string name;
  std::string names;
  bool rsa = false;
};

std::unique_ptr<Context> make_sites(const std::vector<Named>& certificates,
                                    ServerOptions options = {}) {
  for (const Named& each : certificates) {
    options.certificates.push_back(identity_of(issue(
        {.name = each.name, .alternative_names = each.names, .rsa_bits = each.rsa ? 2048U : 0U})));
  }
  return Context::create_server(options).value();
}

/// The subject of what a client is shown that takes such signatures only; or why it is refused.
std::string shown(Context& context, const std::string& name, const std::string& signatures,
                  int version) {
  Client client({.version = version, .server_name = name});
  if (!signatures.empty())
    require_openssl(SSL_set1_sigalgs_list(client.ssl(), signatures.c_str()) == 1);
  Server server(context);
  if (run_handshake(client, server) != Status::ok) return client.error();
  return client.server_subject();
}

constexpr const char* rsa_only = "rsa_pss_rsae_sha256";
constexpr const char* ecdsa_only = "ECDSA+SHA256";

TEST_CASE("an RSA and an ECDSA certificate for one name: by what the client can verify", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto context = make_sites({{.name = "ec", .names = "DNS:a.test"},
                                   {.name = "rsa", .names = "DNS:a.test,DNS:b.test", .rsa = true},
                                   {.name = "wild", .names = "DNS:*.test", .rsa = true},
                                   {.name = "exact", .names = "DNS:c.test"}});
  struct Case {
    std::string name;
    std::string signatures;
    std::string subject;
  };
  const auto asked = GENERATE(
      Case{"a.test", ecdsa_only, "/CN=ec"}, Case{"a.test", rsa_only, "/CN=rsa"},
      Case{"b.test", rsa_only, "/CN=rsa"}, Case{"c.test", ecdsa_only, "/CN=exact"},
      Case{"c.test", rsa_only, "/CN=wild"},  // the wildcard's, since there is no exact one of RSA
      Case{"d.test", rsa_only, "/CN=wild"}, Case{"", ecdsa_only, "/CN=ec"},
      Case{"", rsa_only, "/CN=rsa"},  // the default has both
      Case{"unknown", ecdsa_only, "/CN=ec"});
  CAPTURE(asked.name, asked.signatures);
  REQUIRE(shown(*context, asked.name, asked.signatures, version) == asked.subject);
}

TEST_CASE("a client that cannot verify what its name has is refused, not given another site's",
          "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto context = make_sites(
      {{.name = "ec", .names = "DNS:a.test"}, {.name = "rsa", .names = "DNS:b.test", .rsa = true}});
  REQUIRE(shown(*context, "b.test", ecdsa_only, version).ends_with(" alert handshake failure"));
}

TEST_CASE("strict: a name that no certificate has, and none, are refused", "[tls]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  ServerOptions options;
  options.strict_names = true;
  const auto context =
      make_sites({{.name = "a", .names = "DNS:a.test,DNS:*.b.test"}}, std::move(options));
  REQUIRE(shown(*context, "A.test", "", version) == "/CN=a");
  REQUIRE(shown(*context, "x.b.test", "", version) == "/CN=a");
  for (const std::string name : {"", "b.test", "c.test", "y.x.b.test"}) {
    CAPTURE(name);
    REQUIRE(shown(*context, name, "", version) == "tlsv1 unrecognized name");
  }
}

TEST_CASE("a second ClientHello for another name is refused", "[tls]") {
  const bool same = GENERATE(true, false);
  const auto context = make_sites({{.name = "a", .names = "DNS:a.test,DNS:b.test"}});
  Client client({.server_name = "a.test", .groups = "P-521:P-256"});
  Server server(*context);
  client.handshake();
  server.deliver(client.take());
  REQUIRE(server.handshake() == Status::want_input);
  client.deliver(server.take());
  std::string other = same ? "a.test" : "b.test";
  SSL_ctrl(client.ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, other.data());
  const Status status = run_handshake(client, server);
  REQUIRE(status == (same ? Status::ok : Status::failed));
  if (same) return;
  REQUIRE(server.engine->failure() == "its second ClientHello asked for another name");
  REQUIRE(client.error().ends_with(" alert illegal parameter"));
}

TEST_CASE("the terms of a server are what its clients get", "[tls]") {
  ServerOptions options;
  options.terms.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
  options.terms.cipher_suites = "TLS_AES_256_GCM_SHA384";
  options.terms.groups = "P-384";
  const bool new_one = GENERATE(true, false);
  auto context = make_context(std::move(options));
  Client client(
      {.version = new_one ? TLS1_3_VERSION : TLS1_2_VERSION, .groups = "X25519:P-384:P-256"});
  Server server(*context);
  REQUIRE(run_handshake(client, server) == Status::ok);
  const Negotiated agreed = server.engine->negotiated();
  REQUIRE(agreed.cipher == (new_one ? "TLS_AES_256_GCM_SHA384" : "ECDHE-ECDSA-CHACHA20-POLY1305"));
  REQUIRE(agreed.group == "secp384r1");
}

TEST_CASE("terms that OpenSSL does not have are an error", "[tls]") {
  ServerOptions options;
  options.certificates.push_back(Identity::make_self_signed("x", now).value());
  options.terms.groups = "X25519:P-11";
  const auto context = Context::create_server(options);
  REQUIRE_FALSE(context.has_value());
  REQUIRE(context.error().message.find("refuses the groups \"X25519:P-11\": ") !=
          std::string::npos);
}

}  // namespace
}  // namespace penstock::tls::test
