// ListeningSockets: every listening socket of the process, owned by the supervisor and lent to the
// shards, which only accept. One socket per address and shard; all or none are opened. A unix
// address has one socket, which all shards accept from (SO_REUSEPORT does not exist there).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "penstock/base/ids.h"
#include "penstock/base/result.h"
#include "penstock/base/unique_fd.h"
#include "penstock/config/config.h"
#include "penstock/net/endpoint.h"
#include "penstock/relay/shard.h"

namespace penstock::app {

class ListeningSockets {
 public:
  /// Where a listener listens, port 0 resolved.
  struct Address {
    ListenerId listener;
    Endpoint at;
  };

  ListeningSockets() = default;
  ListeningSockets(ListeningSockets&&) noexcept = default;
  ListeningSockets& operator=(ListeningSockets&&) noexcept = default;
  ~ListeningSockets() { remove_files(); }

  /// Opens them all, with the options that accepted connections inherit. Error: the listener's
  /// name, the address, what to do.
  [[nodiscard]] static Result<ListeningSockets> open(const config::Config& config,
                                                     std::uint32_t shards);

  [[nodiscard]] const std::vector<Address>& addresses() const noexcept { return addresses_; }
  [[nodiscard]] std::vector<relay::LentListener> lend(ShardId shard) const;
  /// A connection that is being set up may need a moment more after refuse_new().
  [[nodiscard]] bool have_handshakes() const noexcept;

  /// From now on no new connection gets into the queues, and what is in them can still be accepted:
  /// TCP drops SYNs (the client's kernel tries again, and finds the port closed or a successor),
  /// unix sockets lose their files.
  void refuse_new();
  /// Closes the sockets. The shards have to have given them back.
  void close() noexcept {
    remove_files();
    sockets_.clear();
  }

 private:
  struct Socket {
    ListenerId listener;
    UniqueFd fd;
    bool is_unix = false;
    std::uint32_t shard = 0;  // all of them for unix
  };
  struct File {
    std::string path;
    dev_t device = 0;
    ino_t inode = 0;
  };

  [[nodiscard]] Result<void> open_address(const config::Listener& listener, ListenerId id,
                                          const Endpoint& at, std::uint32_t shards);
  /// Only those that are still ours: a successor may have replaced them.
  void remove_files() noexcept;

  std::vector<Socket> sockets_;
  std::vector<Address> addresses_;
  std::vector<File> files_;
};

}  // namespace penstock::app
