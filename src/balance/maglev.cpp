// Builds and searches the lookup table. tests/data/maglev.py says the same in Python, and its
// golden tables are compared byte for byte: a change to what is computed here moves clients to
// other backends and is a breaking release.
#include "penstock/balance/maglev.h"

#include <algorithm>
#include <string_view>

#include "penstock/base/assert.h"

namespace penstock::balance {
namespace {

constexpr std::uint16_t free_slot = 0xffff;
/// Probes before pick() asks whether anybody is left at all. With one backend in eight alive, fewer
/// than one search in a thousand comes this far.
constexpr std::uint32_t patient_probes = 64;

/// A backend's walk over all slots, in its own order: `skip` is less than the prime table size, so
/// it meets each once.
struct Walk {
  std::uint32_t next;
  std::uint32_t skip;
  std::uint32_t turns;
};

Walk walk_of(const Member& member, std::uint32_t size, std::uint64_t seed) noexcept {
  return {.next = static_cast<std::uint32_t>(hash_text(member.name, seed) % size),
          .skip = static_cast<std::uint32_t>(1 + hash_text(member.name, seed + 1) % (size - 1)),
          .turns = member.weight};
}

/// The walk's next slot that nobody has taken. There is one: the caller stops at a full table.
std::uint32_t next_free(Walk& walk, const std::vector<std::uint16_t>& slots) noexcept {
  const std::uint64_t size = slots.size();
  for (;;) {
    const std::uint32_t slot = walk.next;
    walk.next = static_cast<std::uint32_t>((std::uint64_t{slot} + walk.skip) % size);
    if (slots[slot] == free_slot) return slot;
  }
}

/// Rounds in which every backend takes `weight` slots, until all are taken.
void fill(std::vector<std::uint16_t>& slots, std::span<Walk> walks) noexcept {
  std::size_t left = slots.size();
  for (;;) {
    for (std::size_t index = 0; index < walks.size(); ++index) {
      for (std::uint32_t turn = 0; turn < walks[index].turns; ++turn) {
        slots[next_free(walks[index], slots)] = static_cast<std::uint16_t>(index);
        if (--left == 0) return;
      }
    }
  }
}

}  // namespace

Maglev::Maglev(std::span<const Member> members, std::uint32_t size, std::uint64_t seed)
    : slots_(size, free_slot) {
  PENSTOCK_ASSERT(is_prime(size));
  PENSTOCK_ASSERT(!members.empty() && members.size() <= free_slot);

  std::vector<const Member*> by_name;
  by_name.reserve(members.size());
  for (const Member& member : members) by_name.push_back(&member);
  std::ranges::sort(by_name, {},
                    [](const Member* member) { return std::string_view(member->name); });

  std::uint64_t turns = 0;
  std::vector<Walk> walks;
  walks.reserve(by_name.size());
  ids_.reserve(by_name.size());
  for (std::size_t index = 0; index < by_name.size(); ++index) {
    const Member& member = *by_name[index];
    PENSTOCK_ASSERT(member.weight >= 1);
    PENSTOCK_ASSERT(index == 0 || by_name[index - 1]->name != member.name);
    turns += member.weight;
    walks.push_back(walk_of(member, size, seed));
    ids_.push_back(member.id);
  }
  PENSTOCK_ASSERT(turns <= size);
  fill(slots_, walks);
}

std::optional<BackendId> Maglev::pick(Key key, const Liveness& liveness,
                                      std::span<const BackendId> tried) const noexcept {
  const auto usable = [&](BackendId id) noexcept {
    return liveness.alive(id) && std::ranges::find(tried, id) == tried.end();
  };
  const std::uint32_t table_size = size();
  auto slot = static_cast<std::uint32_t>(key.hash % table_size);
  for (std::uint32_t probe = 0; probe < table_size; ++probe) {
    const BackendId id = ids_[slots_[slot]];
    if (usable(id)) return id;
    if (++slot == table_size) slot = 0;
    // A pool with nobody left costs a look at its members, not at all of its slots, for every
    // connection.
    if (probe == patient_probes && std::ranges::none_of(ids_, usable)) return std::nullopt;
  }
  return std::nullopt;
}

bool is_prime(std::uint32_t number) noexcept {
  if (number < 4) return number >= 2;
  if (number % 2 == 0) return false;
  for (std::uint64_t divisor = 3; divisor * divisor <= number; divisor += 2) {
    if (number % divisor == 0) return false;
  }
  return true;
}

}  // namespace penstock::balance
