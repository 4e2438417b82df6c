// A certificate for trying things out: signed by itself, for loopback only, never written to disk.
// The demo serves it, tests trust it.
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include <ctime>

#include "identity_parts.h"

namespace penstock::tls {
namespace {

constexpr long days_valid = 30;
// RFC 5280, 4.1.2.2: positive and at most 20 octets.
constexpr int serial_bits = 159;

bool set_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Releaser<BN_free>> number(BN_new());
  return number != nullptr &&
         BN_rand(number.get(), serial_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_names(X509* certificate, const std::string& common_name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1;
}

bool set_dates(X509* certificate, std::time_t now) {
  return ASN1_TIME_adj(X509_getm_notBefore(certificate), now, 0, 0) != nullptr &&
         ASN1_TIME_adj(X509_getm_notAfter(certificate), now, days_valid, 0) != nullptr;
}

bool add_extension(X509* certificate, int id, const char* value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_nconf_nid(nullptr, &context, id, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_extensions(X509* certificate) {
  // Not a CA: some clients refuse a CA's certificate as a server's own.
  return add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
         add_extension(certificate, NID_subject_key_identifier, "hash");
}

}  // namespace

Result<Identity> Identity::make_self_signed(const std::string& common_name,
                                            std::chrono::system_clock::time_point now) {
  ERR_clear_error();
  auto parts = std::make_unique<Parts>();
  parts->key.reset(EVP_EC_gen("P-256"));
  parts->chain.emplace_back(X509_new());
  X509* certificate = parts->chain.front().get();
  const bool made = parts->key != nullptr && certificate != nullptr &&
                    X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
                    set_names(certificate, common_name) &&
                    set_dates(certificate, std::chrono::system_clock::to_time_t(now)) &&
                    X509_set_pubkey(certificate, parts->key.get()) == 1 &&
                    add_extensions(certificate) &&
                    X509_sign(certificate, parts->key.get(), EVP_sha256()) > 0;
  if (!made) {
    return fail(fmt::format("cannot make a self-signed certificate for \"{}\": {}", common_name,
                            take_reason()));
  }
  return Identity(std::move(parts));
}

}  // namespace penstock::tls
