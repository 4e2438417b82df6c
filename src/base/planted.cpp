// Which mistake is switched on. Empty but in a build with -Dplanted=true.
#include "penstock/base/planted.h"

#ifdef PENSTOCK_PLANTED

#include <array>

namespace penstock {
namespace {

constexpr std::array bugs{
#define PENSTOCK_X(name, wrong) PlantedInfo{Planted::name, #name, wrong},
    PENSTOCK_PLANTED_BUGS(PENSTOCK_X)
#undef PENSTOCK_X
};

std::optional<Planted> current;

}  // namespace

std::span<const PlantedInfo> planted_bugs() noexcept { return bugs; }
void plant(std::optional<Planted> bug) noexcept { current = bug; }
bool planted(Planted bug) noexcept { return current == bug; }

}  // namespace penstock

#endif
