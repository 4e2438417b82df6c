// What a service manager (systemd, Type=notify) wants to know of a process: one datagram to the
// socket that $NOTIFY_SOCKET names. Written by hand because it is twenty lines, and libsystemd
// would come with the libraries that it loads. Source: sd_notify(3).
#pragma once

#include <string_view>

namespace penstock::app {

/// Sends "READY=1" or "STOPPING=1". Without $NOTIFY_SOCKET nothing happens; a failure is logged and
/// has no other consequence.
void tell_service_manager(std::string_view state) noexcept;

}  // namespace penstock::app
