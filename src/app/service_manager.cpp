// $NOTIFY_SOCKET is a path, or "@name" for a name in the abstract namespace, which starts with a
// zero byte.
#include "service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "penstock/base/log.h"
#include "penstock/base/result.h"
#include "penstock/base/unique_fd.h"

namespace penstock::app {
namespace {

Result<void> send_to(std::string_view name, std::string_view state) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (name.size() < 2 || (name[0] != '/' && name[0] != '@')) {
    return fail("only paths and abstract names (@name) are supported");
  }
  if (name.size() > sizeof address.sun_path - 1) return fail("it is too long for a socket's name");
  std::ranges::copy(name, address.sun_path);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno("cannot open a socket", errno);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, to, length) < 0) {
    return fail_errno("cannot send to it", errno);
  }
  return {};
}

}  // namespace

void tell_service_manager(std::string_view state) noexcept {
  const char* name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr || *name == '\0') return;
  if (const auto sent = send_to(name, state); !sent) {
    log::warn("the service manager could not be told {}: NOTIFY_SOCKET is \"{}\": {}", state, name,
              sent.error().message);
  }
}

}  // namespace penstock::app
