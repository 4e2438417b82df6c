// Refuses what would turn every client away: CAs that have all expired, a list that is out of date.
#include "penstock/tls/authorities.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "authorities_parts.h"
#include "dates.h"
#include "pem_file.h"

namespace penstock::tls {
namespace {

std::unexpected<AuthoritiesError> refuse(AuthoritiesPart part, std::string message) {
  return std::unexpected(AuthoritiesError{part, Error{std::move(message)}});
}

}  // namespace

Authorities::Authorities(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
Authorities::Authorities(Authorities&&) noexcept = default;
Authorities& Authorities::operator=(Authorities&&) noexcept = default;
Authorities::~Authorities() = default;

std::expected<Authorities, AuthoritiesError> Authorities::load(
    const std::string& ca_path, const std::string& crl_path,
    std::chrono::system_clock::time_point now) {
  const std::time_t time = std::chrono::system_clock::to_time_t(now);
  auto parts = std::make_unique<Parts>();
  auto certificates = read_certificates(ca_path);
  if (!certificates) return refuse(AuthoritiesPart::ca, std::move(certificates.error().message));
  parts->certificates = std::move(*certificates);
  const auto last_day = [](const X509Ptr& each) {
    return seconds_of(*X509_get0_notAfter(each.get()));
  };
  const std::time_t last = std::ranges::max(parts->certificates | std::views::transform(last_day));
  if (last < time) {
    return refuse(AuthoritiesPart::ca, fmt::format("every CA in {} has expired, the last one on {}",
                                                   ca_path, date_text(last)));
  }
  if (crl_path.empty()) return Authorities(std::move(parts));
  auto revoked = read_revoked(crl_path);
  if (!revoked) return refuse(AuthoritiesPart::crl, std::move(revoked.error().message));
  for (const CrlPtr& list : *revoked) {
    const ASN1_TIME* next = X509_CRL_get0_nextUpdate(list.get());
    if (next == nullptr || seconds_of(*next) >= time) continue;
    return refuse(AuthoritiesPart::crl,
                  fmt::format("a revocation list in {} is out of date: the next was due on {}",
                              crl_path, date_text(seconds_of(*next))));
  }
  parts->revoked = std::move(*revoked);
  return Authorities(std::move(parts));
}

}  // namespace penstock::tls
