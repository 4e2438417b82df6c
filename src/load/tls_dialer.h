// TlsDialer: a client's TLS engine for each new connection: the names to ask for in turn, and a
// share of connections that offer a session which an earlier one has left. One worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "penstock/load/recorder.h"
#include "penstock/tls/client.h"
#include "penstock/tls/engine.h"

namespace penstock::load {

struct TlsDialerOptions {
  std::vector<std::string> server_names{};  ///< at least one
  double resume_share = 0;                  ///< of the connections, 0 to 1
};

class TlsDialer {
 public:
  /// `context`: a client's, borrowed.
  TlsDialer(tls::Context& context, TlsDialerOptions options);

  /// For the next connection. Errors: those of Engine::create_client().
  [[nodiscard]] Result<std::unique_ptr<tls::Engine>> next(Counters& count);
  /// The connection is over: takes what it leaves to be resumed. `engine`: one that next() made.
  void leave(tls::Engine& engine);  ///< once

 private:
  /// Servers behind a balancer may know only their own sessions, so there are several to offer.
  static constexpr std::size_t most_sessions = 16;
  struct Name {
    std::string text;
    std::vector<tls::Session> sessions{};
    std::size_t next_offered = 0;
    std::size_t next_replaced = 0;
  };

  [[nodiscard]] const tls::Session* session_to_offer(Name& name) noexcept;

  tls::Context& context_;
  double resume_share_;
  double owed_ = 0;  // connections that are to offer a session and have not; below 1 between calls
  std::vector<Name> names_;
  std::size_t next_name_ = 0;
  std::unordered_map<const tls::Engine*, Name*> asked_for_;  // while it may leave a session
};

}  // namespace penstock::load
