// What commands say: a part of the result, at once, or that they cannot go on.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "penstock/base/result.h"
#include "penstock/load/command_line.h"

namespace penstock::load {

/// On stdout, so that it is read while the next part is being measured.
inline void say(std::string_view text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

/// On stderr. The exit code.
inline int failed(const Error& error, int exit_code = exit_wrong) {
  fmt::print(stderr, "penstock-load: {}\n", error.message);
  return exit_code;
}

}  // namespace penstock::load
