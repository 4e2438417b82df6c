// start_thread: a thread, or a sentence. The standard library throws when the system has no room
// for another one (ulimit -u, pids.max); here that ends.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "penstock/base/result.h"

namespace penstock {

/// Starts a thread that runs `body`, with a std::stop_token if it takes one. `name` is for the
/// error.
template <class Body>
[[nodiscard]] Result<std::jthread> start_thread(std::string_view name, Body body) {
  try {
    return std::jthread(std::move(body));
  } catch (const std::system_error& error) {
    const int reason = error.code().value();
    return fail(
        fmt::format("cannot start the thread {}: {}; raise the limit of threads (ulimit -u, "
                    "TasksMax in the systemd unit, pids.max of the control group)",
                    name, errno_text(reason)),
        reason);
  }
}

}  // namespace penstock
