// A certificate is entered under its own names first; then each name is looked at on its own.
#include "site_plan.h"

#include <algorithm>

namespace penstock::tls {
namespace {

using Certificates = SitePlan::Certificates;

/// Appends those of `from` whose kind of key is not there yet.
void add_kinds(Certificates& to, const Certificates& from, std::span<const Offer> offers) {
  for (const std::size_t each : from) {
    const auto same_kind = [&](std::size_t other) {
      return offers[other].key_kind == offers[each].key_kind;
    };
    if (std::ranges::none_of(to, same_kind)) to.push_back(each);
  }
}

}  // namespace

std::string covering(const std::string& name) {
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos || dot == 0 || name.starts_with("*.")) return {};
  return "*" + name.substr(dot);
}

SitePlan plan_sites(std::span<const Offer> offers, std::span<const std::string> more) {
  std::map<std::string, Certificates> owners;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    for (const std::string& name : offers[i].names) add_kinds(owners[name], {i}, offers);
  }
  const auto certificates_for = [&](const std::string& name) {
    Certificates found;
    for (const std::string& key : {name, covering(name)}) {
      if (const auto at = owners.find(key); at != owners.end())
        add_kinds(found, at->second, offers);
    }
    return found;
  };
  SitePlan plan;
  plan.rest = {0};
  for (const std::string& name : offers.front().names)
    add_kinds(plan.rest, certificates_for(name), offers);
  for (const auto& [name, owned] : owners) plan.by_name[name] = certificates_for(name);
  for (const std::string& name : more) {
    Certificates found = certificates_for(name);
    plan.by_name[name] = found.empty() ? plan.rest : std::move(found);
  }
  return plan;
}

}  // namespace penstock::tls
