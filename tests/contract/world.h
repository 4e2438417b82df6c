// World: what a kernel and its surroundings look like to a contract test: listeners, servers and
// the far ends of connections, over the real kernel on loopback or over the simulator. A statement
// that holds in both is one that the simulator may be trusted on.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "penstock/io/kernel.h"

namespace penstock::contract {

enum class Family : std::uint8_t { v4, v6, unix_path };

/// The far end of a connection. Nothing here waits.
class Remote {
 public:
  Remote() = default;
  Remote(const Remote&) = delete;
  Remote& operator=(const Remote&) = delete;
  virtual ~Remote() = default;

  /// How many bytes were taken.
  virtual std::size_t write(std::string_view bytes) = 0;
  /// What is there, at most `most` bytes. Sets saw_fin() or error() when the stream has ended.
  [[nodiscard]] virtual std::string read(std::size_t most) = 0;
  virtual void send_fin() = 0;
  virtual void close() = 0;
  virtual void reset() = 0;
  /// The endpoint that it connected from.
  [[nodiscard]] virtual Endpoint local() = 0;

  [[nodiscard]] bool saw_fin() const noexcept { return saw_fin_; }
  /// The errno that a read or write met; 0: none.
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] bool ended() const noexcept { return saw_fin_ || error_ != 0; }

 protected:
  void note_fin() noexcept { saw_fin_ = true; }
  void note_error(int errno_value) noexcept { error_ = errno_value; }

 private:
  bool saw_fin_ = false;
  int error_ = 0;
};

/// A listening server that the code under test connects to.
class Server {
 public:
  Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  virtual ~Server() = default;
  [[nodiscard]] virtual Endpoint at() const = 0;
  /// The next connection; null when there is none (yet).
  [[nodiscard]] virtual std::unique_ptr<Remote> accept() = 0;
};

/// A listening socket of the code under test.
struct OwnListener {
  int fd = -1;
  Endpoint at;
};

class World {
 public:
  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World() = default;

  [[nodiscard]] virtual io::Kernel& kernel() = 0;
  [[nodiscard]] virtual io::FeatureSet features() = 0;
  /// Its connections have small socket buffers, so that a few hundred KiB fill them. Close it.
  [[nodiscard]] virtual OwnListener listen(Family family) = 0;
  /// Connects from outside; the connection waits in the listener's queue then.
  [[nodiscard]] virtual std::unique_ptr<Remote> connect(const Endpoint& to) = 0;
  [[nodiscard]] virtual std::unique_ptr<Server> serve(Family family, int backlog) = 0;
  /// Where nobody listens.
  [[nodiscard]] virtual Endpoint refusing() = 0;
  /// Lets about a millisecond pass.
  virtual void pause() = 0;
  /// Calls kernel().notify() from elsewhere, after a few milliseconds.
  virtual void notify_later(int event_fd) = 0;
  /// Waits until that call has returned: before then the event may not be closed.
  virtual void join_notifier() = 0;
};

}  // namespace penstock::contract
