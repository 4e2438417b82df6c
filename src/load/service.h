// Service: the load tool's server: accepts on listening sockets that it was lent and answers as its
// options say. It counts exactly, so that a client's figures can be compared with its own. One
// worker's; read() and merge_delays_into() are for any thread.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "connection.h"
#include "delay_queue.h"
#include "engine.h"
#include "penstock/load/histogram.h"
#include "penstock/tls/context.h"
#include "responder.h"
#include "service_options.h"

namespace penstock::load {

class Service final : public Engine, private User {
 public:
  /// `listeners` are borrowed until done(); `tls`: a server's, borrowed, or null.
  Service(Context& context, ServiceOptions options, std::span<const int> listeners,
          tls::Context* tls);
  ~Service() override;

  void prepare() override;
  [[nodiscard]] bool prepared() const noexcept override { return true; }
  void begin(Instant /*at*/) override {}
  [[nodiscard]] Instant next_tick() const noexcept override { return delays_.next(); }
  void tick() override;
  /// Serves those who wait on the listeners and accepts nobody else. Connections go on until their
  /// clients end them, but for those without an end of their own.
  void stop() override;
  void abandon() override;
  [[nodiscard]] bool done() const noexcept override;

  /// What was counted so far.
  [[nodiscard]] Served read() const noexcept { return count_.read(); }
  /// Adds the delays that messages really had, from their last byte's arrival until they were sent.
  void merge_delays_into(Histogram& to) const { delays_.merge_into(to); }

 private:
  class Listener;
  /// A connection, what it does, and before that is known: its first bytes.
  struct Client {
    Peer peer;
    std::unique_ptr<Responder> responder{};
    std::array<std::byte, Preface::size> begin{};
    std::size_t begin_size = 0;
    std::list<Client>::iterator self{};
  };

  [[nodiscard]] static Client& client(Connection& connection) noexcept {
    return *static_cast<Client*>(connection.of_user);
  }
  void accepted(int fd);
  void decide(Client& client, std::span<const std::byte> bytes);
  void become_echo(Client& client);

  void on_connected(Connection& /*connection*/) override {}
  void on_open(Connection& connection) override;
  std::size_t produce(Connection& connection, std::span<std::byte> to) override;
  void consume(Connection& connection, std::span<const std::byte> bytes) override;
  void on_end(Connection& connection) override;
  void on_failure(Connection& connection, const Failure& failure) override;
  void on_wake(Connection& connection) override;
  void on_closed(Connection& connection) override;

  Context& context_;
  ServiceOptions options_;
  tls::Context* tls_;
  ServiceCounters count_;
  DelayQueue delays_;
  Surroundings around_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // the kernel holds the address of their ops
  std::list<Client> clients_;
  std::uint64_t number_ = 0;  // of the next connection
};

}  // namespace penstock::load
