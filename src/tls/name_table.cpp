// Names are compared in lower case; that of a client is lowered into a buffer of the longest length
// that DNS allows, so that a lookup allocates nothing.
#include "name_table.h"

#include <algorithm>

namespace penstock::tls {
namespace {

constexpr int none_of_them = -1;  // X509_get_ext_d2i(3): there is no such extension

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lowered_text(const ASN1_STRING* from) {
  const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(from));
  std::string text(data, static_cast<std::size_t>(ASN1_STRING_length(from)));
  std::ranges::transform(text, text.begin(), lower);
  return text;
}

/// The text of an entry of a subjectAltName; null: it is of another kind.
const ASN1_STRING* text_in(const GENERAL_NAME& entry) noexcept {
  switch (entry.type) {
    case GEN_DNS:
      return entry.d.dNSName;
    case GEN_EMAIL:
      return entry.d.rfc822Name;
    case GEN_URI:
      return entry.d.uniformResourceIdentifier;
    default:
      return nullptr;
  }
}

std::optional<std::vector<std::string>> alternative_names(const X509& certificate, bool only_dns) {
  std::vector<std::string> result;
  int found = 0;
  const GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, &found, nullptr)));
  if (names == nullptr && found != none_of_them) return std::nullopt;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names.get(), i);
    if (only_dns && entry->type != GEN_DNS) continue;
    if (const ASN1_STRING* text = text_in(*entry)) result.push_back(lowered_text(text));
  }
  return result;
}

}  // namespace

std::optional<std::vector<std::string>> dns_names(const X509& certificate) {
  return alternative_names(certificate, true);
}

std::optional<std::vector<std::string>> identity_names(const X509& certificate) {
  auto names = alternative_names(certificate, false);
  if (!names) return std::nullopt;
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
    names->push_back(lowered_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  return names;
}

bool covers(std::string_view pattern, std::string_view name) noexcept {
  if (!pattern.starts_with("*.")) return pattern == name;
  const std::size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && name.substr(dot) == pattern.substr(1);
}

NameTable::Lowered::Lowered(std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > longest_name) return;
  std::ranges::transform(name, buffer_.begin(), lower);
  size_ = name.size();
}

void NameTable::add(const std::string& name, const Site& owner) {
  if (name.starts_with("*.")) {
    wildcard_.insert_or_assign(name.substr(2), &owner);
  } else {
    exact_.insert_or_assign(name, &owner);
  }
}

const Site* NameTable::find(std::string_view name) const noexcept {
  const Lowered lowered(name);
  if (const auto found = exact_.find(lowered.text()); found != exact_.end()) return found->second;
  const std::size_t dot = lowered.text().find('.');
  if (dot == std::string_view::npos || dot == 0) return nullptr;
  const auto found = wildcard_.find(lowered.text().substr(dot + 1));
  return found != wildcard_.end() ? found->second : nullptr;
}

}  // namespace penstock::tls
