// Session: the life of one connection, as an explicit state machine:
//
//   begin ─▶ preface ─▶ dialing ─▶ securing ─▶ relaying ─▶ closing ─▶ ended
//     (ClientHello, TLS)   ▲  retry   │(TLS)      │          ▲
//                │         └──────────┤           │          │
//                └────────────────────┴───────────┴──────────┘  close(reason, ending): one door
//                out, from anywhere
//
// on_completion() and on_timer() are the only ways in. pump() is the only function that arms a
// receive or a send or sends FIN while relaying; a direction is written once and named by the side
// its bytes come from. Teardown joins: a socket is closed, and the session's memory released, only
// when the kernel holds nothing of it. Lives in the shard's slab.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "context.h"
#include "penstock/balance/hash.h"
#include "penstock/base/ids.h"
#include "penstock/base/intrusive_list.h"
#include "penstock/net/endpoint.h"
#include "penstock/stats/close_reason.h"
#include "penstock/time/timer_wheel.h"
#include "penstock/tls/client_hello.h"
#include "penstock/wire/leg.h"

namespace penstock::relay {

class Session : public ListHook<OfListener>,
                public ListHook<OfBackend>,
                public ListHook<Splicing>,
                public ListHook<Shaking>,
                public ListHook<Ended> {
 public:
  /// Backends that one session dials at most; pools.*.connect_tries cannot be larger.
  static constexpr std::size_t max_tries = 16;

  /// Takes over `client_fd`, which was accepted on `listener`.
  Session(Context& context, ListenerId listener, int client_fd);

  void begin();
  void on_completion(const io::Completion& completion);
  void on_timer();
  /// Of a session on the list of those whose handshake can go on, once it was taken off.
  void continue_handshake();
  /// Of a session that splices, once an interval; true when it has to be called again.
  [[nodiscard]] bool on_splice_timer();
  /// Aborts it, whatever it does.
  void cut(stats::CloseReason reason);

 private:
  enum class Phase : std::uint8_t { preface, dialing, securing, relaying, closing, ended };
  enum class Ending : std::uint8_t {
    clean,    ///< both FINs were passed on: close
    flush,    ///< send what is left for the client, FIN, close
    deliver,  ///< wait until the surviving leg's peer has acknowledged everything, then abort
    abort,    ///< RST to both
  };
  using CloseReason = stats::CloseReason;

  /// What decides whether a direction is copied or spliced. It is spliced while it has a pipe: its
  /// bytes then go from socket to socket through that.
  struct Flow {
    io::Pipe pipe;
    Instant began{};           ///< of `alone`, while it is copied
    std::uint64_t alone = 0;   ///< bytes that came since something small came the other way
    std::uint32_t lately = 0;  ///< bytes spliced since the last splice timer
    std::uint16_t slow = 0;    ///< splice timers in a row that found hardly any
    bool raised = false;       ///< the source's low watermark
  };

  [[nodiscard]] wire::Leg& leg(Side side) noexcept { return side == Side::front ? front_ : back_; }
  [[nodiscard]] wire::Slice& pipe(Side from) noexcept { return pipes_[index(from)]; }
  [[nodiscard]] const Routing::Listener& listener() const noexcept {
    return context_.routing.listeners[listener_.value];
  }
  [[nodiscard]] const Routing::Pool& pool() const noexcept {
    return context_.routing.pools[pool_.value];
  }
  /// Null: this listener's connections, or those to this pool, are plain.
  [[nodiscard]] tls::Context* front_tls() const noexcept {
    return context_.contexts->listeners[listener_.value].get();
  }
  [[nodiscard]] tls::Context* back_tls() const noexcept {
    return context_.contexts->pools[pool_.value].get();
  }
  void wake_at(Instant deadline) noexcept { context_.timers.schedule(timer_, deadline); }
  void check_invariants() const;

  // session_hello.cpp
  /// What has come of the ClientHello, and what is remembered of it until it has decided
  /// everything.
  struct Hello {
    tls::ClientHelloReader reader;
    std::vector<std::byte> raw;
  };
  void await_hello();
  void pump_hello();
  void route();
  [[nodiscard]] std::optional<PoolId> pool_after_handshake();
  void refuse(CloseReason reason, std::byte alert);

  // session_explain.cpp
  struct Alerts {
    std::optional<std::uint8_t> sent = std::nullopt;
    std::optional<std::uint8_t> received = std::nullopt;
  };
  void explain(tls::HandshakeFault fault, std::string_view cause, Alerts alerts);
  void explain_backend(CloseReason reason);
  void tell(const stats::HandshakeFailure& failure);

  // session.cpp: preface and relaying
  void serve_from(PoolId pool) noexcept;
  void begin_tls();
  void pump_preface();
  void on_received(Side from, const io::Completion& completion);
  void on_sent(Side to, const io::Completion& completion);
  void on_writable(Side to);
  void pump(Side from);
  void end_direction(Side from);
  void fail(Side side, CloseReason reason);
  [[nodiscard]] static CloseReason lost(Side side, int result) noexcept;
  [[nodiscard]] static CloseReason garbled(Side side) noexcept;
  void on_quiet();

  // session_splice.cpp
  void note_received(Side from, std::size_t bytes) noexcept;
  void note_size(Side from, std::size_t bytes) noexcept;
  [[nodiscard]] bool begin_splice(Side from);
  void pump_spliced(Side from);
  [[nodiscard]] bool fill(Side from);
  [[nodiscard]] bool drain(Side from);
  void look_again() noexcept;
  void end_splice(Side from);
  void set_watermark(Side from);
  [[nodiscard]] Flow& flow(Side from) noexcept { return flows_[index(from)]; }

  // session_dial.cpp
  void dial();
  [[nodiscard]] std::optional<BackendId> choose() noexcept;
  [[nodiscard]] std::optional<int> start_connect(BackendId backend);
  void wait_for_descriptor();
  void on_dialed();
  void connect_failed(CloseReason reason);
  void on_connected();
  void relay();

  // session_secure.cpp
  void secure();
  void pump_secure();
  void give_up_try(CloseReason reason);
  void keep_session();

  // session_close.cpp
  void close(CloseReason reason, Ending ending);
  void on_closing_completion(const io::Completion& completion);
  void settle();
  [[nodiscard]] bool finish_flush();
  [[nodiscard]] bool finish_delivery();
  [[nodiscard]] wire::Leg& surviving() noexcept { return front_.broken ? back_ : front_; }
  [[nodiscard]] bool acknowledges() noexcept;
  [[nodiscard]] bool join();
  void end();
  void leave_record();

  /// What a broken session still has to deliver is given up when the peer acknowledges none of it
  /// for so long.
  static constexpr Duration delivery_patience = 5s;
  static constexpr Duration delivery_look = 250ms;  ///< between two looks at that

  Context& context_;
  Timer timer_;
  wire::Leg front_;
  wire::Leg back_;
  std::array<wire::Slice, 2> pipes_;  // bytes of each direction's stream, between decode and encode
  std::array<Flow, 2> flows_;
  Endpoint client_;
  std::unique_ptr<Hello> hello_;              // until the routes have decided
  std::unique_ptr<std::string> passed_name_;  // that the ClientHello asked for which was passed on
  ListenerId listener_;
  PoolId pool_;
  Phase phase_ = Phase::preface;
  Ending ending_ = Ending::clean;
  CloseReason reason_ = CloseReason::finished;
  std::optional<CloseReason> failure_;  // why a leg broke, once one did
  std::optional<BackendId> backend_;    // connected
  std::array<BackendId, max_tries> tried_{};
  std::uint8_t tries_ = 0;
  bool connect_cancelled_ = false;          // by connect_timeout
  std::optional<CloseReason> try_failure_;  // of a try whose connect went well
  int connect_result_ = 0;
  CloseReason connect_failure_ = CloseReason::no_backend;
  balance::Key key_{};
  Instant began_{};
  Instant dial_began_{};
  Instant try_began_{};
  Instant connected_{};
  Instant last_activity_{};
  Instant closing_deadline_{};
  Duration closing_pause_{};
  std::size_t unacknowledged_ = 0;        // by the surviving leg's peer, when last looked at
  std::array<std::uint64_t, 2> bytes_{};  // of each direction's stream, handed on
};

}  // namespace penstock::relay
