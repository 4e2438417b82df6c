// Identities: what is accepted, and the exact sentence for everything that is not.
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "penstock/tls/context.h"
#include "tls_files.h"

namespace penstock::tls::test {
namespace {

struct Files {
  TempFolder folder;
  TestCertificate leaf = make_certificate({.name = "leaf"});
  std::string chain = folder.file("a.pem", leaf.pem());
  std::string key = folder.file("a.key", leaf.key_pem());

  [[nodiscard]] IdentityError refuse() const {
    auto loaded = Identity::load(chain, key, now);
    if (loaded) return {IdentityPart::chain, {"(accepted)"}};
    return loaded.error();
  }
  void expect(IdentityPart part, const std::string& message) const {
    const IdentityError error = refuse();
    CHECK(error.error.message == message);
    CHECK(error.part == part);
  }
};

TEST_CASE("a chain and its key are accepted", "[tls]") {
  Files files;
  const auto root = make_certificate({.name = "root", .is_ca = true});
  const auto middle = make_certificate({.name = "middle", .issuer = &root, .is_ca = true});
  const auto leaf = make_certificate({.name = "leaf", .issuer = &middle});
  files.key = files.folder.file("b.key", leaf.key_pem());
  SECTION("in order") {
    const std::string ordered = leaf.pem() + middle.pem() + root.pem();
    const auto loaded = Identity::load(files.folder.file("b.pem", ordered), files.key, now);
    REQUIRE(loaded.has_value());
    REQUIRE(loaded->chain_pem() == ordered);
    REQUIRE(loaded->clone().chain_pem() == ordered);
  }
  SECTION("issuers in any order; they are put in theirs") {
    const auto chain = files.folder.file("b.pem", leaf.pem() + root.pem() + middle.pem());
    const auto loaded = Identity::load(chain, files.key, now);
    REQUIRE(loaded.has_value());
    REQUIRE(loaded->chain_pem() == leaf.pem() + middle.pem() + root.pem());
  }
  SECTION("with text and other blocks between") {
    const auto chain = files.folder.file(
        "b.pem", "subject = leaf\n" + leaf.pem() +
                     "\n-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\nroot:\n");
    REQUIRE(Identity::load(chain, files.key, now).has_value());
  }
  SECTION("chain and key in one file, the key first or last") {
    for (const std::string& text : {leaf.key_pem() + leaf.pem(), leaf.pem() + leaf.key_pem()}) {
      const auto both = files.folder.file("both.pem", text);
      REQUIRE(Identity::load(both, both, now).has_value());
    }
  }
  SECTION("an expired root does not matter to clients") {
    const auto old =
        make_certificate({.name = "root", .is_ca = true, .not_after = now_seconds - 1});
    const auto child = make_certificate({.name = "leaf", .issuer = &old});
    const auto chain = files.folder.file("b.pem", child.pem() + old.pem());
    REQUIRE(Identity::load(chain, files.folder.file("c.key", child.key_pem()), now).has_value());
  }
}

TEST_CASE("traditional and RSA keys are accepted", "[tls]") {
  const unsigned bits = GENERATE(0U, 2048U);
  Files files;
  const auto leaf = make_certificate({.name = "leaf", .rsa_bits = bits});
  const std::string key = to_pem([&](BIO* to) {
    return PEM_write_bio_PrivateKey_traditional(to, leaf.key.get(), nullptr, nullptr, 0, nullptr,
                                                nullptr);
  });
  REQUIRE(key.find(bits == 0 ? "BEGIN EC PRIVATE KEY" : "BEGIN RSA PRIVATE KEY") !=
          std::string::npos);
  const auto parameters = std::string("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n") +
                          "-----END EC PARAMETERS-----\n";
  REQUIRE(Identity::load(files.folder.file("b.pem", leaf.pem()),
                         files.folder.file("b.key", parameters + key), now)
              .has_value());
}

TEST_CASE("files that cannot be read are named with the reason", "[tls]") {
  Files files;
  SECTION("no such chain") {
    files.chain = files.folder.path("none.pem");
    files.expect(IdentityPart::chain, "cannot open " + files.chain + ": No such file or directory");
    REQUIRE(files.refuse().error.errno_value == ENOENT);
  }
  SECTION("no such key") {
    files.key = files.folder.path("none.key");
    files.expect(IdentityPart::key, "cannot open " + files.key + ": No such file or directory");
  }
  SECTION("a folder") {
    files.chain = files.folder.path("");
    files.expect(IdentityPart::chain, "cannot read " + files.chain + ": Is a directory");
  }
  SECTION("no permission") {
    // Root may read everything, so the test is somebody else for a moment.
    const uid_t user = ::geteuid();
    ::chmod(files.key.c_str(), 0);
    REQUIRE((user != 0 || ::seteuid(65534) == 0));
    const auto loaded = Identity::load(files.key, files.key, now);
    REQUIRE((user != 0 || ::seteuid(user) == 0));
    REQUIRE(loaded.error().error.message == "cannot open " + files.key + ": Permission denied");
  }
  SECTION("far too large") {
    files.chain = files.folder.file("big.pem", std::string(2U << 20U, 'x'));
    files.expect(IdentityPart::chain,
                 files.chain + " is larger than 1 MiB: it cannot be a PEM file with certificates");
  }
}

TEST_CASE("a chain file without a usable certificate is told apart", "[tls]") {
  Files files;
  SECTION("empty") {
    files.chain = files.folder.file("b.pem", "");
    files.expect(IdentityPart::chain, files.chain + " holds no certificate in PEM form");
  }
  SECTION("chain and key swapped") {
    std::swap(files.chain, files.key);
    files.expect(
        IdentityPart::chain,
        files.chain +
            " holds no certificate in PEM form, only a private key: chain and key may be swapped");
  }
  SECTION("DER") {
    unsigned char* der = nullptr;
    const int size = i2d_X509(files.leaf.certificate.get(), &der);
    files.chain = files.folder.file(
        "b.der", std::string(reinterpret_cast<char*>(der), static_cast<std::size_t>(size)));
    OPENSSL_free(der);
    files.expect(IdentityPart::chain, files.chain +
                                          " is in DER form: convert it to PEM with `openssl x509 "
                                          "-inform DER -in " +
                                          files.chain + " -out FILE.pem`");
  }
  SECTION("cut off") {
    files.chain = files.folder.file("b.pem", files.leaf.pem().substr(0, 200));
    files.expect(IdentityPart::chain, files.chain + " is damaged: bad end line");
  }
  SECTION("cut off after the first certificate") {
    files.chain = files.folder.file("b.pem", files.leaf.pem() + files.leaf.pem().substr(0, 200));
    files.expect(IdentityPart::chain,
                 files.chain + " is damaged after certificate 1: bad end line");
  }
  SECTION("a block that is no certificate") {
    files.chain = files.folder.file("b.pem", files.leaf.pem() +
                                                 "-----BEGIN CERTIFICATE-----\nAAAAAAAA\n"
                                                 "-----END CERTIFICATE-----\n");
    const IdentityError error = files.refuse();
    REQUIRE(error.part == IdentityPart::chain);
    REQUIRE(error.error.message.starts_with("certificate 2 in " + files.chain + " is malformed: "));
  }
}

TEST_CASE("a key file without a usable key is told apart", "[tls]") {
  Files files;
  SECTION("encrypted, PKCS 8 or traditional") {
    const bool traditional = GENERATE(false, true);
    files.key = files.folder.file("b.key", files.leaf.encrypted_key_pem(traditional));
    files.expect(IdentityPart::key,
                 "the private key in " + files.key +
                     " is encrypted, and penstock never asks for a passphrase: "
                     "decrypt it with `openssl pkey -in " +
                     files.key + " -out FILE.key` and keep that file readable for penstock only");
  }
  SECTION("malformed") {
    files.key = files.folder.file(
        "b.key", "-----BEGIN PRIVATE KEY-----\nAAAAAAAA\n-----END PRIVATE KEY-----\n");
    const IdentityError error = files.refuse();
    REQUIRE(error.part == IdentityPart::key);
    REQUIRE(error.error.message.starts_with("the private key in " + files.key + " is malformed: "));
  }
  SECTION("empty") {
    files.key = files.folder.file("b.key", "\n");
    files.expect(IdentityPart::key, files.key + " holds no private key in PEM form");
  }
  SECTION("the certificate again") {
    files.key = files.chain;
    files.expect(IdentityPart::key,
                 files.key + " holds no private key in PEM form, only a certificate");
  }
  SECTION("the key is in the chain file") {
    files.chain = files.folder.file("both.pem", files.leaf.pem() + files.leaf.key_pem());
    files.key = files.folder.file("b.key", files.leaf.pem());
    files.expect(IdentityPart::key, files.key +
                                        " holds no private key in PEM form, only a certificate; " +
                                        files.chain + " holds one: name that file as the key too");
  }
  SECTION("OpenSSH") {
    files.key = files.folder.file(
        "id", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");
    files.expect(IdentityPart::key, "the private key in " + files.key +
                                        " is in OpenSSH's own form: convert it with `ssh-keygen -p "
                                        "-m PEM -f " +
                                        files.key + "`");
  }
}

TEST_CASE("a key that does not fit is refused", "[tls]") {
  Files files;
  SECTION("of the same kind") {
    files.key = files.folder.file("b.key", make_certificate({}).key_pem());
    files.expect(IdentityPart::key, "the private key in " + files.key +
                                        " does not fit the certificate in " + files.chain +
                                        " (CN=leaf)");
  }
  SECTION("of another kind") {
    files.key = files.folder.file("b.key", make_certificate({.rsa_bits = 2048}).key_pem());
    files.expect(IdentityPart::key, "the private key in " + files.key +
                                        " does not fit the certificate in " + files.chain +
                                        " (CN=leaf)");
  }
  SECTION("but fits a later certificate") {
    const auto root = make_certificate({.name = "root", .is_ca = true});
    const auto leaf = make_certificate({.name = "leaf", .issuer = &root});
    files.chain = files.folder.file("b.pem", root.pem() + leaf.pem());
    files.key = files.folder.file("b.key", leaf.key_pem());
    files.expect(IdentityPart::chain,
                 "the private key in " + files.key + " fits certificate 2 in " + files.chain +
                     " (CN=leaf), which is not the first there: put the server's "
                     "own certificate first");
  }
}

TEST_CASE("dates are checked at both ends", "[tls]") {
  Files files;
  const std::time_t begin = 1704067200;  // 2024-01-01
  const std::time_t end = 1706659200;    // 2024-01-31
  const auto leaf = make_certificate({.name = "dated", .not_before = begin, .not_after = end});
  files.chain = files.folder.file("b.pem", leaf.pem());
  files.key = files.folder.file("b.key", leaf.key_pem());
  const auto at = [&](std::time_t time) {
    const auto loaded =
        Identity::load(files.chain, files.key, std::chrono::system_clock::from_time_t(time));
    return loaded ? std::string("valid") : loaded.error().error.message;
  };
  REQUIRE(at(begin) == "valid");
  REQUIRE(at(end) == "valid");
  REQUIRE(at(end + 1) == "the certificate in " + files.chain +
                             " (CN=dated) expired on 2024-01-31 00:00:00 UTC: renew it");
  REQUIRE(at(begin - 1) == "the certificate in " + files.chain +
                               " (CN=dated) is not valid before 2024-01-01 00:00:00 UTC; this "
                               "machine's clock says 2023-12-31 23:59:59 UTC");
}

TEST_CASE("an expired intermediate is refused", "[tls]") {
  Files files;
  const auto root = make_certificate({.name = "root", .is_ca = true});
  const auto middle = make_certificate(
      {.name = "middle", .issuer = &root, .is_ca = true, .not_after = now_seconds - one_day});
  const auto leaf = make_certificate({.name = "leaf", .issuer = &middle});
  files.chain = files.folder.file("b.pem", leaf.pem() + middle.pem());
  files.key = files.folder.file("b.key", leaf.key_pem());
  files.expect(IdentityPart::chain,
               "certificate 2 in " + files.chain +
                   " (CN=middle) expired on 2026-01-14 12:00:00 UTC: renew it");
}

TEST_CASE("a certificate of another chain is refused", "[tls]") {
  Files files;
  SECTION("unrelated by name") {
    const auto stray = make_certificate({.name = "stray", .is_ca = true});
    files.chain = files.folder.file("b.pem", files.leaf.pem() + stray.pem());
    files.expect(IdentityPart::chain,
                 "certificate 2 in " + files.chain +
                     " (CN=stray) issued none of the others in that file: a chain "
                     "is the server's certificate followed by its issuers");
  }
  SECTION("the right name with another key") {
    const auto root = make_certificate({.name = "root", .is_ca = true});
    const auto impostor = make_certificate({.name = "root", .is_ca = true});
    const auto leaf = make_certificate({.name = "leaf", .issuer = &root});
    files.chain = files.folder.file("b.pem", leaf.pem() + impostor.pem());
    files.key = files.folder.file("b.key", leaf.key_pem());
    files.expect(IdentityPart::chain,
                 "certificate 2 in " + files.chain +
                     " (CN=root) issued none of the others in that file: a chain "
                     "is the server's certificate followed by its issuers");
  }
}

TEST_CASE("a key below OpenSSL's security level is found while loading", "[tls]") {
  Files files;
  const auto weak = make_certificate({.name = "weak", .rsa_bits = 512});
  files.chain = files.folder.file("b.pem", weak.pem());
  files.key = files.folder.file("b.key", weak.key_pem());
  files.expect(IdentityPart::chain, "OpenSSL refuses the certificate in " + files.chain +
                                        " (CN=weak): ee key too small");
}

TEST_CASE("an identity is asked for by the DNS names of its first certificate", "[tls]") {
  const auto names_of = [](const std::string& alternative_names) {
    const TempFolder folder;
    const auto root =
        make_certificate({.name = "root", .alternative_names = "DNS:root.test", .is_ca = true});
    const auto leaf =
        make_certificate({.name = "leaf", .alternative_names = alternative_names, .issuer = &root});
    return Identity::load(folder.file("a.pem", leaf.pem() + root.pem()),
                          folder.file("a.key", leaf.key_pem()), now)
        .value()
        .dns_names();
  };
  CHECK(names_of("DNS:B.test,IP:10.0.0.1,DNS:*.A.test,email:x@c.test") ==
        std::vector<std::string>{"b.test", "*.a.test"});
  CHECK(names_of("IP:10.0.0.1").empty());
  CHECK(names_of("").empty());
}

TEST_CASE("a self-signed identity is for loopback, 30 days and no authority", "[tls]") {
  const auto made = Identity::make_self_signed("penstock demo", now).value();
  const std::string pem = made.chain_pem();
  BIO* memory = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(memory, nullptr, nullptr, nullptr), X509_free);
  BIO_free(memory);
  REQUIRE(certificate != nullptr);
  X509* x = certificate.get();
  CHECK(X509_check_host(x, "localhost", 0, 0, nullptr) == 1);
  CHECK(X509_check_ip_asc(x, "127.0.0.1", 0) == 1);
  CHECK(X509_check_ip_asc(x, "::1", 0) == 1);
  CHECK(X509_check_ca(x) == 0);
  CHECK(X509_verify(x, X509_get0_pubkey(x)) == 1);
  CHECK(EVP_PKEY_get_bits(X509_get0_pubkey(x)) == 256);
  std::time_t first = now_seconds;
  std::time_t last = now_seconds + 30 * one_day;
  CHECK(ASN1_TIME_cmp_time_t(X509_get0_notBefore(x), first) == 0);
  CHECK(ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), last) == 0);

  const auto second = Identity::make_self_signed("penstock demo", now).value();
  CHECK(second.chain_pem() != pem);
  const auto too_long = Identity::make_self_signed(std::string(65, 'x'), now);
  REQUIRE_FALSE(too_long.has_value());
  CHECK(too_long.error().message.starts_with("cannot make a self-signed certificate for \"xxx"));
  CHECK_FALSE(Identity::make_self_signed("", now).has_value());
}

}  // namespace
}  // namespace penstock::tls::test
