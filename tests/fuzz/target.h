// What a fuzz target is: one function over any bytes. It ends the process when something does not
// hold that has to hold whatever the bytes are; libFuzzer then keeps them. Each NAME_target.cpp
// defines it for the program fuzz-NAME, in which entry.cpp hands it libFuzzer's inputs.
#pragma once

#include <cstdint>
#include <span>

namespace penstock::fuzz {

/// Runs one input. The same bytes do the same in every process.
void run(std::span<const std::uint8_t> bytes);

}  // namespace penstock::fuzz
