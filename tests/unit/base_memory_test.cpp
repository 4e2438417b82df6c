// ReservedMemory: what is not touched costs nothing, and what is released goes back to the system
// and reads as zero.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "penstock/base/memory.h"

namespace penstock {
namespace {

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t resident_pages(const ReservedMemory& memory) {
  std::vector<unsigned char> pages(memory.size() / page_size());
  REQUIRE(::mincore(memory.data(), memory.size(), pages.data()) == 0);
  return static_cast<std::size_t>(
      std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; }));
}

TEST_CASE("reserved memory is rounded up to pages and not there until it is touched", "[base]") {
  const std::size_t page = page_size();
  auto memory = ReservedMemory::reserve(8 * page - 1);
  REQUIRE(memory.has_value());
  CHECK(memory->size() == 8 * page);
  CHECK(resident_pages(*memory) == 0);
  memory->data()[3 * page] = std::byte{1};
  CHECK(resident_pages(*memory) == 1);
}

TEST_CASE("release gives back whole pages only, and they read as zero", "[base]") {
  const std::size_t page = page_size();
  auto memory = ReservedMemory::reserve(8 * page);
  REQUIRE(memory.has_value());
  std::memset(memory->data(), 0xab, memory->size());
  REQUIRE(resident_pages(*memory) == 8);

  memory->release(page + 1, 3 * page);  // ends one byte into page 4: pages 2 and 3 are whole
  CHECK(resident_pages(*memory) == 6);
  CHECK(memory->data()[2 * page - 1] == std::byte{0xab});
  CHECK(memory->data()[4 * page] == std::byte{0xab});
  CHECK(memory->data()[2 * page] == std::byte{0});
  CHECK(memory->data()[4 * page - 1] == std::byte{0});

  memory->release(5 * page + 1, page);  // no whole page inside
  CHECK(memory->data()[5 * page + 1] == std::byte{0xab});
}

TEST_CASE("reserved memory moves without copying", "[base]") {
  auto made = ReservedMemory::reserve(100);
  REQUIRE(made.has_value());
  std::byte* const data = made->data();
  data[5] = std::byte{7};
  ReservedMemory memory(std::move(*made));
  CHECK(memory.data() == data);
  CHECK(memory.data()[5] == std::byte{7});
}

TEST_CASE("more address space than there is gives an error that says what to lower", "[base]") {
  const auto memory = ReservedMemory::reserve(std::size_t{1} << 60);
  REQUIRE_FALSE(memory.has_value());
  CHECK(memory.error().message.find("process.max_connections") != std::string::npos);
  CHECK(memory.error().errno_value == ENOMEM);
}

}  // namespace
}  // namespace penstock
