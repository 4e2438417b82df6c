// Reading an identity and refusing what would only fail later, in front of a client: a wrong date,
// a stray certificate, a key that does not fit, a key that OpenSSL's security level forbids.
#include "penstock/tls/identity.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <optional>
#include <string_view>

#include "dates.h"
#include "identity_parts.h"
#include "name_table.h"
#include "pem_file.h"

namespace penstock::tls {
namespace {

std::string memory_text(BIO* memory) {
  const char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::string subject_text(const X509& certificate) {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  if (memory == nullptr || X509_NAME_entry_count(subject) == 0) return "without a subject";
  X509_NAME_print_ex(memory.get(), subject, 0, XN_FLAG_RFC2253);
  return memory_text(memory.get());
}

/// "the certificate in a.pem (CN=a)" for the leaf, "certificate 2 in a.pem (CN=b)" for the others.
std::string describe(const std::string& path, std::size_t position, const X509& certificate) {
  if (position == 0)
    return fmt::format("the certificate in {} ({})", path, subject_text(certificate));
  return fmt::format("certificate {} in {} ({})", position + 1, path, subject_text(certificate));
}

bool issued(const X509Ptr& issuer, const X509Ptr& subject) {
  return X509_check_issued(issuer.get(), subject.get()) == X509_V_OK &&
         X509_verify(subject.get(), X509_get0_pubkey(issuer.get())) == 1;
}

/// Refuses a certificate that issued none of the others: it is of another chain.
std::optional<Error> find_stray(const std::string& path, const std::vector<X509Ptr>& chain) {
  for (std::size_t i = 1; i < chain.size(); ++i) {
    const auto issued_one = [&](const X509Ptr& other) {
      return other != chain[i] && issued(chain[i], other);
    };
    if (std::ranges::any_of(chain, issued_one)) continue;
    return Error{
        fmt::format("{} issued none of the others in that file: a chain is the server's "
                    "certificate followed by its issuers",
                    describe(path, i, *chain[i]))};
  }
  return std::nullopt;
}

/// Puts each certificate before its issuer, since TLS 1.2 clients may insist on it (RFC
/// 5246, 7.4.2). What lies on no path from the leaf (a second, cross-signed issuer) stays behind,
/// in its own order.
void sort_chain(std::vector<X509Ptr>& chain) {
  for (auto last = chain.begin(); last + 1 < chain.end(); ++last) {
    const auto next = std::find_if(last + 1, chain.end(),
                                   [&](const X509Ptr& other) { return issued(other, *last); });
    if (next == chain.end()) return;
    std::rotate(last + 1, next, next + 1);
  }
}

/// Both ends of the validity are part of it (RFC 5280, 4.1.2.5).
std::optional<Error> check_dates(const std::string& path, const std::vector<X509Ptr>& chain,
                                 std::time_t now) {
  for (std::size_t i = 0; i < chain.size(); ++i) {
    X509& certificate = *chain[i];
    // Clients look for a root in their own store; the one in the file does not matter to them.
    if (i > 0 && (X509_get_extension_flags(&certificate) & EXFLAG_SS) != 0) continue;
    const std::time_t first = seconds_of(*X509_get0_notBefore(&certificate));
    const std::time_t last = seconds_of(*X509_get0_notAfter(&certificate));
    if (now > last) {
      return Error{fmt::format("{} expired on {}: renew it", describe(path, i, certificate),
                               date_text(last))};
    }
    if (now < first) {
      return Error{fmt::format("{} is not valid before {}; this machine's clock says {}",
                               describe(path, i, certificate), date_text(first), date_text(now))};
    }
  }
  return std::nullopt;
}

/// Says why `key` does not belong to the leaf, and whether the chain is only in the wrong order.
std::optional<IdentityError> check_fit(const std::string& chain_path, const std::string& key_path,
                                       const std::vector<X509Ptr>& chain, const KeyPtr& key) {
  const auto fits = [&](const X509Ptr& certificate) {
    return X509_check_private_key(certificate.get(), key.get()) == 1;
  };
  const auto owner = std::ranges::find_if(chain, fits);
  ERR_clear_error();
  if (owner == chain.begin()) return std::nullopt;
  if (owner == chain.end()) {
    return IdentityError{IdentityPart::key,
                         {fmt::format("the private key in {} does not fit {}", key_path,
                                      describe(chain_path, 0, *chain.front()))}};
  }
  return IdentityError{
      IdentityPart::chain,
      {fmt::format(
          "the private key in {} fits {}, which is not the first there: put the server's own "
          "certificate first",
          key_path,
          describe(chain_path, static_cast<std::size_t>(owner - chain.begin()), **owner))}};
}

/// Tries what Context will do, so that a key which OpenSSL refuses is found while the file is read.
std::optional<Error> check_usable(const std::string& path, const std::vector<X509Ptr>& chain,
                                  const KeyPtr& key) {
  ERR_clear_error();
  const SslContextPtr trial(SSL_CTX_new(TLS_server_method()));
  if (trial != nullptr && use_identity(trial.get(), chain, key.get())) return std::nullopt;
  return Error{
      fmt::format("OpenSSL refuses {}: {}", describe(path, 0, *chain.front()), take_reason())};
}

std::unexpected<IdentityError> refuse(IdentityPart part, Error error) {
  return std::unexpected(IdentityError{part, std::move(error)});
}

}  // namespace

Identity::Identity(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;
Identity::~Identity() = default;

std::expected<Identity, IdentityError> Identity::load(const std::string& chain_path,
                                                      const std::string& key_path,
                                                      std::chrono::system_clock::time_point now) {
  auto chain = read_certificates(chain_path);
  if (!chain) return refuse(IdentityPart::chain, std::move(chain.error()));
  auto key = read_private_key(key_path, chain_path);
  if (!key) return refuse(IdentityPart::key, std::move(key.error()));
  // The fit comes before the dates: with the wrong pair of files, the dates are beside the point.
  if (auto error = check_fit(chain_path, key_path, *chain, *key)) {
    return std::unexpected(std::move(*error));
  }
  if (auto error = find_stray(chain_path, *chain)) {
    return refuse(IdentityPart::chain, std::move(*error));
  }
  const std::time_t time = std::chrono::system_clock::to_time_t(now);
  if (auto error = check_dates(chain_path, *chain, time)) {
    return refuse(IdentityPart::chain, std::move(*error));
  }
  sort_chain(*chain);
  if (auto error = check_usable(chain_path, *chain, *key)) {
    return refuse(IdentityPart::chain, std::move(*error));
  }
  return Identity(std::make_unique<Parts>(Parts{std::move(*chain), std::move(*key)}));
}

Identity Identity::clone() const {
  auto copy = std::make_unique<Parts>();
  for (const X509Ptr& certificate : parts_->chain) {
    X509_up_ref(certificate.get());
    copy->chain.emplace_back(certificate.get());
  }
  EVP_PKEY_up_ref(parts_->key.get());
  copy->key.reset(parts_->key.get());
  return Identity(std::move(copy));
}

std::vector<std::string> Identity::dns_names() const {
  return tls::dns_names(*parts_->chain.front()).value_or(std::vector<std::string>{});
}

std::string Identity::key_kind() const {
  const char* name = EVP_PKEY_get0_type_name(parts_->key.get());
  return name != nullptr ? name : "unknown";
}

std::chrono::system_clock::time_point Identity::expiry() const {
  std::time_t first = std::numeric_limits<std::time_t>::max();
  for (const X509Ptr& certificate : parts_->chain) {
    const bool root = certificate != parts_->chain.front() &&
                      (X509_get_extension_flags(certificate.get()) & EXFLAG_SS) != 0;
    if (!root) first = std::min(first, seconds_of(*X509_get0_notAfter(certificate.get())));
  }
  return std::chrono::system_clock::from_time_t(first);
}

std::string Identity::subject() const { return subject_text(*parts_->chain.front()); }

std::string Identity::chain_pem() const {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  if (memory == nullptr) return {};
  for (const X509Ptr& certificate : parts_->chain) {
    PEM_write_bio_X509(memory.get(), certificate.get());
  }
  return memory_text(memory.get());
}

}  // namespace penstock::tls
