// The end of a process that broke one of its own rules: print what and where, then trap, so that a
// core dump points at the place. Called from any thread; allocates nothing.
#include "penstock/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace penstock {
namespace {
thread_local const char* context = nullptr;
}  // namespace

void set_assert_context(const char* text) noexcept { context = text; }

void assert_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "penstock: assertion failed: %s:%d: %s%s%s\n", file, line, condition,
               context != nullptr ? " at " : "", context != nullptr ? context : "");
  std::abort();
}

}  // namespace penstock
