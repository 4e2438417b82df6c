// BufferPool over the real kernel: what is not used costs nothing, and what is not used any longer
// goes back to the system.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <set>
#include <vector>

#include "penstock/io/buffer_pool.h"
#include "penstock/io/linux_kernel.h"

namespace penstock::io {
namespace {

struct Pool {
  LinuxKernel kernel;
  std::unique_ptr<Ring> ring;
  std::unique_ptr<BufferPool> buffers;
  explicit Pool(const BufferPool::Options& options) {
    auto opened = Ring::open(kernel, {.features = FeatureSet::all()});
    REQUIRE(opened.has_value());
    ring = std::move(*opened);
    auto made = BufferPool::create(*ring, options);
    REQUIRE(made.has_value());
    buffers = std::move(*made);
  }
};

std::vector<Buffer> take(BufferPool& pool, BufferClass size_class, std::size_t count) {
  std::vector<Buffer> taken;
  for (std::size_t i = 0; i < count; ++i) {
    taken.push_back(pool.take(size_class));
    REQUIRE(taken.back());
    std::ranges::fill(taken.back().bytes(), std::byte{1});
  }
  return taken;
}

bool is_resident(const std::byte* page) {
  unsigned char state = 0;
  REQUIRE(::mincore(const_cast<std::byte*>(page), 1, &state) == 0);
  return (state & 1) != 0;
}

std::size_t resident_bytes() {
  std::size_t size = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  REQUIRE(resident > 0);
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_CASE("a pool with millions of buffers takes no memory for those that nobody used", "[io]") {
  constexpr std::uint32_t count = 4 << 20;
  const std::size_t before = resident_bytes();
  const Pool pool({.small_count = count, .large_count = 1, .small_posted = 16, .large_posted = 16});
  const std::size_t after = resident_bytes();
  CHECK(after - std::min(before, after) < count);  // a quarter of one id for each
}

TEST_CASE("a pool hands out every buffer once, and the one that came back last first", "[io]") {
  const Pool pool({.small_count = 3, .large_count = 1, .small_posted = 16, .large_posted = 16});
  auto taken = take(*pool.buffers, BufferClass::small, 3);
  CHECK_FALSE(pool.buffers->take(BufferClass::small));
  std::set<const std::byte*> places;
  for (const Buffer& buffer : taken) places.insert(buffer.bytes().data());
  CHECK(places.size() == 3);
  const std::byte* const last = taken[1].bytes().data();
  taken[0].reset();
  taken[1].reset();
  taken[0] = pool.buffers->take(BufferClass::small);
  CHECK(taken[0].bytes().data() == last);
}

TEST_CASE("trim gives back the pages of what was free since the last one, and of nothing else",
          "[io]") {
  const Pool pool({.small_count = 64, .large_count = 1, .small_posted = 16, .large_posted = 16});
  auto taken = take(*pool.buffers, BufferClass::small, 8);
  std::vector<const std::byte*> places;
  for (const Buffer& buffer : taken) places.push_back(buffer.bytes().data());
  const auto resident = [&] { return std::ranges::count_if(places, is_resident); };
  taken.erase(taken.begin(), taken.begin() + 6);

  pool.buffers->trim();  // they were in use since the last call
  CHECK(resident() == 8);
  // One of them goes out and in again: it stays, the five below it go.
  taken.push_back(pool.buffers->take(BufferClass::small));
  taken.pop_back();
  pool.buffers->trim();
  CHECK(resident() == 3);
  pool.buffers->trim();
  CHECK(resident() == 2);

  auto again = take(*pool.buffers, BufferClass::small, 6);
  CHECK(resident() == 8);
}

}  // namespace
}  // namespace penstock::io
