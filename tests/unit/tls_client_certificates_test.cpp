// What servers make of the certificates of clients.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <map>
#include <optional>

#include "tls_engines.h"

namespace penstock::tls::test {
namespace {

using Mode = ClientVerification::Mode;

/// A list of the revoked, signed by `ca`.
std::string revocation_list(const TestCertificate& ca,
                            const std::vector<const TestCertificate*>& revoked,
                            std::time_t next_in = one_day) {
  const std::time_t today = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> list(X509_CRL_new(), X509_CRL_free);
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(ca.certificate.get()));
  ASN1_TIME* time = ASN1_TIME_set(nullptr, today - 2 * one_day);
  X509_CRL_set1_lastUpdate(list.get(), time);
  ASN1_TIME_set(time, today + next_in);
  X509_CRL_set1_nextUpdate(list.get(), time);
  for (const TestCertificate* each : revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(each->certificate.get()));
    ASN1_TIME_set(time, today - one_day);
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(list.get(), entry);
  }
  ASN1_TIME_free(time);
  require_openssl(X509_CRL_sign(list.get(), ca.key.get(), EVP_sha256()) > 0);
  return to_pem([&](BIO* to) { return PEM_write_bio_X509_CRL(to, list.get()); });
}

std::shared_ptr<const Authorities> authorities(const std::string& ca, const std::string& crl = {}) {
  const TempFolder folder;
  const std::string list = crl.empty() ? std::string() : folder.file("crl.pem", crl);
  return std::make_shared<const Authorities>(
      Authorities::load(folder.file("ca.pem", ca), list, std::chrono::system_clock::now()).value());
}

struct Scene {
  TestCertificate ca = issue({.name = "clients' CA", .is_ca = true});
  TestCertificate middle = issue({.name = "middle", .issuer = &ca, .is_ca = true});
  TestCertificate me =
      issue({.name = "Me", .alternative_names = "DNS:me.corp,email:Me@corp", .issuer = &ca});
  TestCertificate below = issue({.name = "below", .issuer = &middle});
  TestCertificate stranger = issue({.name = "stranger"});

  [[nodiscard]] ClientVerification asks(Mode mode) const {
    return {.mode = mode, .authorities = authorities(ca.pem())};
  }
};

struct Answer {
  bool served = false;
  bool resumed = false;
  std::string refusal;  ///< the server's words
  std::optional<std::uint8_t> alert;
  Session session;
};

Answer call(Context& server_context, Version version, std::optional<Identity> identity,
            const std::string& name = "a.test", const Session* session = nullptr) {
  auto client_context = make_client_context(version, {.identity = std::move(identity)});
  ClientSide client(*client_context, {.server_name = name, .session = session});
  Server server(server_context);
  Answer outcome;
  const Ends ends = shake(client, server);
  outcome.served = ends.server == Status::ok;
  outcome.refusal = server.engine->failure();
  if (client.engine->handshake_done()) (void)pass(server, client);
  outcome.alert = client.engine->alert();
  if (!outcome.served) return outcome;
  outcome.resumed = server.engine->negotiated().resumed;
  outcome.session = client.engine->take_session();
  return outcome;
}

std::unique_ptr<Context> asking(ClientVerification terms) {
  ServerOptions options;
  options.clients = std::move(terms);
  return make_context(std::move(options));
}

/// Of a certificate and the issuer that is not in the server's store.
Identity chain_of(const TestCertificate& leaf, const TestCertificate& issuer) {
  const TempFolder folder;
  return Identity::load(folder.file("chain.pem", leaf.pem() + issuer.pem()),
                        folder.file("key.pem", leaf.key_pem()), std::chrono::system_clock::now())
      .value();
}

TEST_CASE("required: no certificate, and one of another CA, are refused with their alerts",
          "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  const auto context = asking(scene.asks(Mode::required));
  REQUIRE(call(*context, version, identity_of(scene.me)).served);
  const Answer none = call(*context, version, std::nullopt);
  REQUIRE_FALSE(none.served);
  REQUIRE(none.refusal == "peer did not return a certificate");
  REQUIRE(none.alert == (version == Version::tls13 ? 116 : 40));
  const Answer strange = call(*context, version, identity_of(scene.stranger));
  REQUIRE_FALSE(strange.served);
  REQUIRE(strange.refusal.starts_with("certificate verify failed: "));
  REQUIRE(strange.alert == 48);  // unknown_ca
}

TEST_CASE("optional: no certificate will do, a bad one will not", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  const auto context = asking(scene.asks(Mode::optional));
  REQUIRE(call(*context, version, std::nullopt).served);
  REQUIRE(call(*context, version, identity_of(scene.me)).served);
  REQUIRE_FALSE(call(*context, version, identity_of(scene.stranger)).served);
}

TEST_CASE("off: nothing is asked", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const auto context = asking({});
  REQUIRE(call(*context, version, identity_of(issue({.name = "x"}))).served);
}

TEST_CASE("the depth counts the intermediates", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  ClientVerification terms = scene.asks(Mode::required);
  terms.depth = GENERATE(0, 1);
  const auto context = asking(terms);
  REQUIRE(call(*context, version, identity_of(scene.me)).served);
  const Answer below = call(*context, version, chain_of(scene.below, scene.middle));
  REQUIRE(below.served == (terms.depth == 1));
}

TEST_CASE("an intermediate can be trusted without its root", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  const auto context =
      asking({.mode = Mode::required, .authorities = authorities(scene.middle.pem())});
  REQUIRE(call(*context, version, identity_of(scene.below)).served);
  REQUIRE_FALSE(call(*context, version, identity_of(scene.me)).served);
}

TEST_CASE("a revoked certificate is refused", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  const auto other = issue({.name = "other", .issuer = &scene.ca});
  const auto context =
      asking({.mode = Mode::required,
              .authorities = authorities(scene.ca.pem(), revocation_list(scene.ca, {&scene.me}))});
  const Answer me = call(*context, version, identity_of(scene.me));
  REQUIRE(me.refusal == "certificate verify failed: certificate revoked");
  REQUIRE(me.alert == 44);  // certificate_revoked
  REQUIRE(call(*context, version, identity_of(other)).served);
}

TEST_CASE("only the listed names are let in", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  struct Case {
    std::string listed;
    bool served;
  };
  const auto by =
      GENERATE(Case{"me.corp", true}, Case{"*.corp", true}, Case{"me@corp", true}, Case{"me", true},
               Case{"*.me.corp", false}, Case{"you.corp", false}, Case{"corp", false});
  CAPTURE(by.listed);
  ClientVerification terms = scene.asks(Mode::required);
  terms.names = {"nobody", by.listed};
  const auto context = asking(std::move(terms));
  const Answer me = call(*context, version, identity_of(scene.me));
  REQUIRE(me.served == by.served);
  if (!by.served) REQUIRE(me.refusal == "certificate verify failed: certificate rejected");
}

TEST_CASE("a chain of 100 KiB is refused", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  const auto context = asking(scene.asks(Mode::required));
  const auto big = issue({.name = "big",
                          .alternative_names =
                              [] {
                                std::string names = "DNS:a";
                                for (int i = 0; i < 4000; ++i)
                                  names += ",DNS:" + std::to_string(i) + ".a-rather-long.name";
                                return names;
                              }(),
                          .issuer = &scene.ca});
  const Answer outcome = call(*context, version, identity_of(big));
  REQUIRE_FALSE(outcome.served);
  REQUIRE(outcome.refusal == "excessive message size");
}

TEST_CASE("what is asked depends on the name, and a ticket of one name opens no other", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  ServerOptions options;
  options.certificates.push_back(
      identity_of(issue({.name = "both", .alternative_names = "DNS:a.test,DNS:*.test"})));
  options.clients_by_name.emplace("admin.test", scene.asks(Mode::required));
  options.clients_by_name.emplace("*.inner.test", scene.asks(Mode::required));
  options.clients_by_name.emplace("open.inner.test", ClientVerification{});
  const auto context = Context::create_server(options).value();

  const Answer open = call(*context, version, std::nullopt, "a.test");
  REQUIRE(open.served);
  REQUIRE(call(*context, version, std::nullopt, "open.inner.test").served);
  for (const std::string name : {"admin.test", "ADMIN.test", "admin.test.", "x.inner.test"}) {
    CAPTURE(name);
    REQUIRE_FALSE(call(*context, version, std::nullopt, name).served);
    REQUIRE_FALSE(call(*context, version, std::nullopt, name, &open.session).served);
    REQUIRE(call(*context, version, identity_of(scene.me), name).served);
  }
  const Answer admin = call(*context, version, identity_of(scene.me), "admin.test");
  REQUIRE(call(*context, version, std::nullopt, "admin.test", &admin.session).resumed);
  REQUIRE_FALSE(call(*context, version, std::nullopt, "a.test", &admin.session).resumed);
}

TEST_CASE("a ticket does not outlive what was asked when it was given", "[tls]") {
  const Version version = GENERATE(values(both_versions));
  const Scene scene;
  const auto certificate = issue({.name = "a"});
  const auto with = [&](ClientVerification terms) {
    ServerOptions options;
    options.certificates.push_back(identity_of(certificate));
    options.clients = std::move(terms);
    return Context::create_server(options).value();
  };
  const auto before = with(scene.asks(Mode::required));
  const Answer first = call(*before, version, identity_of(scene.me));
  REQUIRE(call(*with(scene.asks(Mode::required)), version, std::nullopt, "a.test", &first.session)
              .resumed);
  ClientVerification revoked = scene.asks(Mode::required);
  revoked.authorities = authorities(scene.ca.pem(), revocation_list(scene.ca, {&scene.me}));
  REQUIRE_FALSE(call(*with(revoked), version, std::nullopt, "a.test", &first.session).served);
}

TEST_CASE("authorities that would turn everyone away are refused when they are read", "[tls]") {
  const Scene scene;
  const TempFolder folder;
  const auto ca = folder.file("ca.pem", scene.ca.pem());
  const auto load = [&](const std::string& ca_path, const std::string& crl_path) {
    const auto loaded = Authorities::load(ca_path, crl_path, std::chrono::system_clock::now());
    return loaded ? std::string() : loaded.error().error.message;
  };
  REQUIRE(load(ca, "").empty());
  REQUIRE(load(ca, folder.file("good.pem", revocation_list(scene.ca, {}))).empty());
  const auto old = folder.file("old.pem", make_certificate({.name = "old", .is_ca = true}).pem());
  REQUIRE(
      load(old, "").starts_with("every CA in " + old + " has expired, the last one on 2026-01-16"));
  const auto late = folder.file("late.pem", revocation_list(scene.ca, {}, -one_day));
  REQUIRE(load(ca, late).starts_with("a revocation list in " + late + " is out of date: "));
  REQUIRE(load(ca, ca) == ca + " holds no certificate revocation list in PEM form");
  REQUIRE(load(late, "") == late + " holds no certificate in PEM form");
  const auto cut = folder.file("cut.pem", revocation_list(scene.ca, {}).substr(0, 200));
  REQUIRE(load(ca, cut).starts_with(cut + " is damaged: "));
}

}  // namespace
}  // namespace penstock::tls::test
