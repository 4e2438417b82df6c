// The simulation with the fuzzer's bytes in place of a seed: they choose the world, the weather and
// every result of the kernel, in the order in which these are drawn; seed 0 goes on when they are
// used up. All oracles of the simulation hold.
#include "target.h"
#include "world.h"

namespace penstock::fuzz {

void run(std::span<const std::uint8_t> bytes) { sim::World(0, false, bytes).run(); }

}  // namespace penstock::fuzz
