// malloc and realloc for OpenSSL, refused where the test switch says so. What is freed was had
// before, so free never asks.
#include "penstock/tls/failing_memory.h"

#include <openssl/crypto.h>

#include <cstdlib>

#include "penstock/base/test_switches.h"

namespace penstock::tls {
namespace {

bool installed = false;

#ifdef PENSTOCK_CHECKS

void* allocate(std::size_t size, const char* /*file*/, int /*line*/) {
  if (size == 0 || test_switches::allocation_fails()) return nullptr;
  return std::malloc(size);
}

void release(void* memory, const char* /*file*/, int /*line*/) { std::free(memory); }

/// As OpenSSL has it: of nothing it is an allocation, to nothing it is a release.
void* reallocate(void* memory, std::size_t size, const char* file, int line) {
  if (memory == nullptr) return allocate(size, file, line);
  if (size == 0) {
    std::free(memory);
    return nullptr;
  }
  if (test_switches::allocation_fails()) return nullptr;
  return std::realloc(memory, size);
}

void install() { installed = CRYPTO_set_mem_functions(allocate, reallocate, release) == 1; }

// OpenSSL takes other functions only before its first allocation, and libraries that use it
// (cpp-httplib) begin to in their constructors. What is listed here runs before those.
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_constructors)() = install;

#endif

}  // namespace

bool memory_can_fail() noexcept { return installed; }

}  // namespace penstock::tls
