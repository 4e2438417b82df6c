// Responder: what a Service does with the bytes of one connection. It lives as long as the
// connection does, and works through its Peer: the connection, what is counted, what is drawn.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "connection.h"
#include "preface.h"
#include "service_options.h"

namespace penstock::load {

class DelayQueue;

/// What responders share, and what one of them has of the service.
struct Surroundings {
  Context& context;
  const ServiceOptions& options;
  ServiceCounters& count;
  DelayQueue& delays;
  bool stopping = false;  ///< no connection is to go on for its own sake
};

/// A connection as its responder sees it.
struct Peer {
  Surroundings& around;
  Connection& connection;
  std::uint64_t number = 0;  ///< of the connection, from 0
  bool ended = false;        ///< the client has ended its stream
  bool finishing = false;    ///< what was produced is all
  bool broken = false;       ///< reset or broken off

  /// Nothing more is produced; closes when the client has ended its stream as well.
  void finish();
  void reset();
  /// And counts why.
  void reset(stats::Counter& counter);
};

class Responder {
 public:
  explicit Responder(Peer& its_peer) noexcept : peer(its_peer) {}
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  virtual ~Responder() = default;

  virtual void opened() {}
  /// As User::produce(); not called any more once the peer is finishing.
  [[nodiscard]] virtual std::size_t produce(std::span<std::byte> to) = 0;
  /// As User::consume(); within it the peer's connection may be asked to keep_input().
  virtual void consume(std::span<const std::byte> bytes) = 0;
  /// The client has ended its stream.
  virtual void ended() { peer.finish(); }
  /// The service is to stop.
  virtual void stop() {}
  /// What was asked of the DelayQueue, or of the connection's wake_at(), is due.
  virtual void due() {}

 protected:
  Peer& peer;
};

/// For each kind; echo: of a stream without a preface, whose first bytes were `begin` (fewer than a
/// preface's).
[[nodiscard]] std::unique_ptr<Responder> make_responder(Peer& peer,
                                                        std::span<const std::byte> begin);
/// As the preface says. Null: no such thing can be done.
[[nodiscard]] std::unique_ptr<Responder> make_prefaced(Peer& peer, const Preface& preface);

}  // namespace penstock::load
