// Service: the server side of the tool: an echo, and for clients that open with a preface
// (preface.h) requests that are checked and answered in another size. One worker's.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "connection.h"
#include "engine.h"
#include "preface.h"

namespace penstock::load {

/// What a service has seen. Exact: a client's own counters have to be the same.
struct ServiceCounters {
  std::uint64_t accepted = 0;
  std::uint64_t closed = 0;  ///< in order, after the client's end
  std::uint64_t lost = 0;    ///< reset or broken off
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t requests = 0;  ///< of clients with a preface
  std::uint64_t wrong = 0;     ///< streams with a wrong byte in them
  std::uint64_t accept_errors = 0;

  void add(const ServiceCounters& other) noexcept;
};

class Service final : public Engine, private User, private OpOwner, private Waiter {
 public:
  using MakeConnection = std::function<Connection*(User& user, void* of_user)>;

  /// `listener_fd` is lent. `counters` is written by this service only, and borrowed.
  Service(Context& context, int listener_fd, MakeConnection make_connection,
          ServiceCounters& counters);
  ~Service() override;

  void prepare() override;
  [[nodiscard]] bool prepared() const noexcept override { return true; }
  void begin(Instant /*at*/) override {}
  [[nodiscard]] Instant next_tick() const noexcept override { return never; }
  void tick() override {}
  void stop() override;
  void abandon() override;
  [[nodiscard]] bool done() const noexcept override;

 private:
  struct OfService;
  struct Client final : ListHook<OfService> {
    enum class Kind : std::uint8_t { unknown, echo, rr };
    Connection* connection = nullptr;
    Kind kind = Kind::unknown;
    std::string head{};                 // what may become a preface
    std::deque<wire::Slice> waiting{};  // to be echoed
    std::size_t waiting_bytes = 0;
    Preface preface{};
    std::uint64_t received = 0;      // of the client's pattern
    std::uint64_t answers_owed = 0;  // bytes
    std::uint64_t answered = 0;      // bytes
    bool ended = false;
    bool broken = false;
  };

  [[nodiscard]] static Client& client(Connection& connection) noexcept {
    return *static_cast<Client*>(connection.of_user);
  }
  void on_completion(const io::Completion& completion) override;
  void on_due() override;
  void accepted(int fd);
  void begin_stream(Client& client, std::span<const std::byte> bytes);
  void echo(Client& client, std::span<const std::byte> bytes);
  void check_requests(Client& client, std::span<const std::byte> bytes);
  void finish_if_done(Client& client);
  static void cut(Client& client);

  void on_connected(Connection& /*connection*/) override {}
  void on_open(Connection& /*connection*/) override {}
  std::size_t produce(Connection& connection, std::span<std::byte> to) override;
  void consume(Connection& connection, std::span<const std::byte> bytes) override;
  void on_end(Connection& connection) override;
  void on_failure(Connection& connection, const Failure& failure) override;
  void on_wake(Connection& /*connection*/) override {}
  void on_closed(Connection& connection) override;

  Context& context_;
  int listener_fd_;
  MakeConnection make_connection_;
  ServiceCounters& counters_;
  io::Op accept_op_;
  io::Op cancel_op_;
  IntrusiveList<Client, OfService> clients_;
  bool stopped_ = false;
};

}  // namespace penstock::load
