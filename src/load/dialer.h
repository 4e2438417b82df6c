// Dialer: the client's connections of an engine: where to, from which address, with which TLS. One
// worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "connection.h"
#include "tls_dialer.h"

namespace penstock::load {

struct DialerOptions {
  std::vector<Endpoint> targets;    ///< in turn; at least one
  std::vector<Endpoint> sources{};  ///< in turn; empty: the kernel chooses
  ConnectionOptions socket{};       ///< but for the source
  std::optional<Introduction> introduction{};
  Duration timeout = 5s;  ///< for connect and handshake together
};

/// When a connection came how far; records what that says.
class DialTimes {
 public:
  void begin(Instant now) noexcept { dialled_ = now; }
  void connected(Instant now, Recorder& to) noexcept;
  /// `engine`: the connection's, or null.
  void opened(Instant now, const tls::Engine* engine, Recorder& to) noexcept;
  /// An attempt that has got no further.
  static void failed(const Failure& failure, Recorder& to) noexcept;

  [[nodiscard]] Instant dialled() const noexcept { return dialled_; }

 private:
  Instant dialled_{};
  Instant connected_{};
};

class Dialer {
 public:
  /// `tls`: null for plain connections.
  Dialer(Context& context, DialerOptions options, std::unique_ptr<TlsDialer> tls);

  /// Dials the target that is `place`'s, from its source. `into` is set before `user` is called
  /// back, which may happen within. False: there is no room now, since too many connections are
  /// closing.
  [[nodiscard]] bool dial(User& user, void* of_user, std::uint64_t place, Connection*& into,
                          Counters& count);
  /// In on_closed(), for each connection.
  void closed(Connection& connection);

 private:
  Context& context_;
  DialerOptions options_;
  std::unique_ptr<TlsDialer> tls_;
};

}  // namespace penstock::load
