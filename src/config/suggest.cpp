// Edit distance over short names. Quadratic, for error messages only.
#include "penstock/config/suggest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace penstock::config {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitution});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

std::optional<std::string_view> closest(std::string_view name,
                                        std::span<const std::string_view> candidates) {
  constexpr std::size_t longest = 128;  // a name that long is no typing mistake; bounds the cost
  constexpr std::size_t shortest_prefix = 3;
  if (name.size() > longest) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t best_distance = 0;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > longest) continue;
    const std::size_t distance = edit_distance(name, candidate);
    const std::size_t limit = std::max<std::size_t>(1, std::max(name.size(), candidate.size()) / 3);
    if (distance > limit || (best && distance >= best_distance)) continue;
    best = candidate;
    best_distance = distance;
  }
  if (best || name.size() < shortest_prefix) return best;
  const auto related = std::ranges::find_if(candidates, [&](std::string_view candidate) {
    const bool longer = candidate.size() >= shortest_prefix && name.starts_with(candidate);
    return longer || candidate.starts_with(name);
  });
  return related == candidates.end() ? std::nullopt : std::optional(*related);
}

std::string hint(std::string_view name, std::span<const std::string_view> candidates,
                 std::string_view label) {
  if (const auto best = closest(name, candidates))
    return fmt::format("; did you mean \"{}\"?", *best);
  if (candidates.empty()) return {};
  constexpr std::size_t most = 32;
  const auto shown = candidates.first(std::min(most, candidates.size()));
  return fmt::format("; {}: {}{}", label, fmt::join(shown, ", "),
                     candidates.size() > most ? ", …" : "");
}

}  // namespace penstock::config
