// Where libFuzzer calls in. Its name for the function is not ours to choose.
#include <cstddef>

#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming)
    const std::uint8_t* data, std::size_t size) {
  penstock::fuzz::run({data, size});
  return 0;
}
