// The far ends are Streams of the simulator's network.
#include "sim_world.h"

#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>

namespace penstock::contract {
namespace {

constexpr std::size_t buffered_bytes =
    65536;  // what Linux makes of the 32 KiB that LinuxWorld sets

Endpoint endpoint(const std::string& text) {
  const auto parsed = Endpoint::parse(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

class SimRemote final : public Remote {
 public:
  explicit SimRemote(sim::Stream& stream) : stream_(stream) {}
  ~SimRemote() override {
    if (stream_.held()) stream_.close();
  }
  std::size_t write(std::string_view bytes) override {
    const int count = stream_.send(std::as_bytes(std::span(bytes)));
    if (count < 0 && count != -EAGAIN) note_error(-count);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  std::string read(std::size_t most) override {
    std::string bytes(most, '\0');
    const int count = stream_.receive(std::as_writable_bytes(std::span(bytes)));
    if (count == 0) note_fin();
    if (count < 0 && count != -EAGAIN) note_error(-count);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }
  void send_fin() override { stream_.shut_write(); }
  void close() override { stream_.close(); }
  void reset() override { stream_.abort(); }
  Endpoint local() override { return stream_.local(); }

 private:
  sim::Stream& stream_;
};

class SimServer final : public Server {
 public:
  SimServer(sim::Network& network, const Endpoint& at, int backlog)
      : network_(network), listener_(network.listen(at, static_cast<std::size_t>(backlog))) {}
  ~SimServer() override { network_.close_listener(listener_); }
  Endpoint at() const override { return listener_.at; }
  std::unique_ptr<Remote> accept() override {
    if (listener_.queue.empty()) return nullptr;
    sim::Stream* stream = listener_.queue.front();
    listener_.queue.pop_front();
    return std::make_unique<SimRemote>(*stream);
  }

 private:
  sim::Network& network_;
  sim::Listener& listener_;
};

}  // namespace

SimWorld::SimWorld()
    : kernel_(1, sim::Wire{.send_buffer_min = buffered_bytes,
                           .send_buffer_max = buffered_bytes,
                           .receive_buffer_min = buffered_bytes,
                           .receive_buffer_max = buffered_bytes}) {}

Endpoint SimWorld::free_address(Family family) {
  const int port = 1000 + addresses_++;
  if (family == Family::v6) return endpoint(fmt::format("[::1]:{}", port));
  if (family == Family::unix_path) return endpoint(fmt::format("unix:/sim/{}", port));
  return endpoint(fmt::format("127.0.0.1:{}", port));
}

OwnListener SimWorld::listen(Family family) {
  const Endpoint at = free_address(family);
  return {.fd = kernel_.listen(at, 128), .at = at};
}

std::unique_ptr<Remote> SimWorld::connect(const Endpoint& to) {
  sim::Network& network = kernel_.network();
  if (to.is_unix()) {
    const auto [stream, result] = network.connect_unix(to);
    REQUIRE(result == 0);
    return std::make_unique<SimRemote>(*stream);
  }
  const auto dial =
      network.dial(free_address(to.family() == AF_INET ? Family::v4 : Family::v6), to);
  pause();
  REQUIRE(dial->done);
  REQUIRE(dial->result == 0);
  return std::make_unique<SimRemote>(*dial->stream);
}

std::unique_ptr<Server> SimWorld::serve(Family family, int backlog) {
  return std::make_unique<SimServer>(kernel_.network(), free_address(family), backlog);
}

Endpoint SimWorld::refusing() { return free_address(Family::v4); }

void SimWorld::notify_later(int event_fd) {
  kernel_.timeline().after(5ms, [this, event_fd] { kernel_.notify(event_fd); });
}

}  // namespace penstock::contract
