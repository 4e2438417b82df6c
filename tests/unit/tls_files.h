// Certificates and keys for tests of identities: made on the spot, with any date, name and issuer,
// and written into a folder that goes away with the test. Tests may use OpenSSL directly.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace penstock::tls::test {

/// 2026-01-15 12:00:00 UTC: the wall clock of these tests.
inline constexpr std::time_t now_seconds = 1768478400;
inline const auto now = std::chrono::system_clock::from_time_t(now_seconds);
inline constexpr std::time_t one_day = 86400;

inline void require_openssl(bool good) {
  if (!good) throw std::runtime_error("the test's own use of OpenSSL failed");
}

template <class Write>
std::string to_pem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> memory(BIO_new(BIO_s_mem()), BIO_free_all);
  require_openssl(write(memory.get()) == 1);
  std::string text(BIO_ctrl_pending(memory.get()), '\0');
  require_openssl(BIO_read(memory.get(), text.data(), static_cast<int>(text.size())) ==
                  static_cast<int>(text.size()));
  return text;
}

struct TestCertificate {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;

  [[nodiscard]] std::string pem() const {
    return to_pem([&](BIO* to) { return PEM_write_bio_X509(to, certificate.get()); });
  }
  [[nodiscard]] std::string key_pem() const {
    return to_pem([&](BIO* to) {
      return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  [[nodiscard]] std::string encrypted_key_pem(bool traditional) const {
    return to_pem([&](BIO* to) {
      const auto* pass = reinterpret_cast<const unsigned char*>("secret");
      const auto write =
          traditional ? PEM_write_bio_PrivateKey_traditional : PEM_write_bio_PrivateKey;
      return write(to, key.get(), EVP_aes_256_cbc(), pass, 6, nullptr, nullptr);
    });
  }
};

struct CertificateOptions {
  std::string name = "test";
  std::string alternative_names =
      {};  ///< as OpenSSL's configuration has them: "DNS:a.example,DNS:*.b"
  const TestCertificate* issuer = nullptr;  ///< null: signed by itself
  bool is_ca = false;
  std::time_t not_before = now_seconds - one_day;
  std::time_t not_after = now_seconds + one_day;
  unsigned rsa_bits = 0;  ///< 0: P-256
};

inline void add_extension(X509* to, int id, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, to, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, &context, id, value.c_str());
  require_openssl(extension != nullptr && X509_add_ext(to, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

inline TestCertificate make_certificate(const CertificateOptions& options) {
  TestCertificate made;
  made.key.reset(options.rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(options.rsa_bits),
                 EVP_PKEY_free);
  made.certificate.reset(X509_new(), X509_free);
  X509* certificate = made.certificate.get();
  require_openssl(made.key != nullptr && certificate != nullptr);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_TIME_set(X509_getm_notBefore(certificate), options.not_before);
  ASN1_TIME_set(X509_getm_notAfter(certificate), options.not_after);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1,
                             0);
  const TestCertificate& issuer = options.issuer != nullptr ? *options.issuer : made;
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get()));
  X509_set_pubkey(certificate, made.key.get());
  add_extension(certificate, NID_basic_constraints,
                options.is_ca ? "critical,CA:TRUE" : "CA:FALSE");
  if (!options.alternative_names.empty()) {
    add_extension(certificate, NID_subject_alt_name, options.alternative_names);
  }
  require_openssl(X509_sign(certificate, issuer.key.get(), EVP_sha256()) > 0);
  return made;
}

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "penstock-tls-XXXXXX").string();
    require_openssl(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ / name; }
  /// Writes a file and returns its path.
  [[nodiscard]] std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace penstock::tls::test
