// How a command says that it cannot go on.
#pragma once

#include <fmt/format.h>

#include <cstdio>

#include "penstock/base/result.h"
#include "penstock/load/command_line.h"

namespace penstock::load {

/// Says it on stderr. The exit code.
inline int failed(const Error& error, int exit_code = exit_wrong) {
  fmt::print(stderr, "penstock-load: {}\n", error.message);
  return exit_code;
}

}  // namespace penstock::load
