// Names are compared in lower case; that of a client is lowered into a buffer of the longest length
// that DNS allows, so that a lookup allocates nothing.
#include "name_table.h"

#include <algorithm>
#include <array>
#include <utility>

namespace penstock::tls {
namespace {

constexpr std::size_t longest_name = 255;  // RFC 1035, 2.3.4
constexpr int none_of_them = -1;           // X509_get_ext_d2i(3): there is no such extension

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::optional<std::vector<std::string>> dns_names(const X509& certificate) {
  std::vector<std::string> result;
  int found = 0;
  const GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, &found, nullptr)));
  if (names == nullptr && found != none_of_them) return std::nullopt;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names.get(), i);
    if (entry->type != GEN_DNS) continue;
    const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(entry->d.dNSName));
    std::string name(data, static_cast<std::size_t>(ASN1_STRING_length(entry->d.dNSName)));
    std::ranges::transform(name, name.begin(), lower);
    result.push_back(std::move(name));
  }
  return result;
}

bool NameTable::add(const X509& certificate, SSL_CTX* owner) {
  auto names = dns_names(certificate);
  if (!names) return false;
  for (std::string& name : *names) {
    if (name.starts_with("*.")) {
      wildcard_.try_emplace(name.substr(2), owner);
    } else {
      exact_.try_emplace(std::move(name), owner);
    }
  }
  return true;
}

SSL_CTX* NameTable::find(std::string_view name) const noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > longest_name) return nullptr;
  std::array<char, longest_name> buffer{};
  std::ranges::transform(name, buffer.begin(), lower);
  const std::string_view lowered(buffer.data(), name.size());
  if (const auto found = exact_.find(lowered); found != exact_.end()) return found->second;
  const std::size_t dot = lowered.find('.');
  if (dot == std::string_view::npos || dot == 0) return nullptr;
  const auto found = wildcard_.find(lowered.substr(dot + 1));
  return found != wildcard_.end() ? found->second : nullptr;
}

}  // namespace penstock::tls
