// FakeBackend: a server on loopback that behaves as a test tells it, on a thread of its own; and
// CapturedLog, what the log wrote to stderr meanwhile. For the tests of the health checks.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "penstock/net/endpoint.h"
#include "penstock/net/socket.h"

namespace penstock::health {

/// What the backend does with one connection, after it has read the request.
struct Manner {
  enum class End : std::uint8_t { close, reset, hold };
  std::string answer;
  End end = End::close;
};

class FakeBackend {
 public:
  /// `manner` is asked for each connection, with its number from 0, on the backend's thread.
  using Script = std::function<Manner(int number)>;

  explicit FakeBackend(Script script, const std::string& at = "127.0.0.1:0")
      : script_(std::move(script)), address_(Endpoint::parse(at).value()) {
    go_up();
  }
  FakeBackend(const FakeBackend&) = delete;
  FakeBackend& operator=(const FakeBackend&) = delete;
  ~FakeBackend() { go_down(); }

  void go_up() {
    listener_ = open_listener(address_, {.reuse_port = false}).value();
    address_ = local_endpoint(listener_.get()).value();
    stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
    thread_ = std::thread([this] { serve(); });
  }
  /// From here on connects are refused.
  void go_down() {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_.get(), &one, sizeof(one));
    thread_.join();
    listener_.reset();
    held_.clear();
  }

  [[nodiscard]] const Endpoint& address() const noexcept { return address_; }
  [[nodiscard]] int connections() const noexcept { return connections_.load(); }
  /// Connections whose client ended its stream plainly after the whole answer.
  [[nodiscard]] int clean_ends() const noexcept { return clean_ends_.load(); }
  [[nodiscard]] std::string last_request() {
    const std::scoped_lock lock(mutex_);
    return last_request_;
  }

 private:
  void serve() {
    while (readable(listener_.get())) {
      UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection.valid()) answer(std::move(connection));
    }
  }
  // False when the backend goes down meanwhile.
  bool readable(int fd) {
    std::array<pollfd, 2> waits{{{.fd = fd, .events = POLLIN, .revents = 0},
                                 {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
    ::poll(waits.data(), waits.size(), -1);
    return waits[1].revents == 0;
  }
  void answer(UniqueFd connection) {
    const Manner manner = script_(connections_++);
    if (manner.end == Manner::End::hold && manner.answer.empty()) {
      held_.push_back(std::move(connection));
      return;
    }
    read_request(connection.get());
    ::send(connection.get(), manner.answer.data(), manner.answer.size(), MSG_NOSIGNAL);
    if (manner.end == Manner::End::hold) {
      held_.push_back(std::move(connection));
    } else if (manner.end == Manner::End::reset) {
      const linger abort{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
    } else {
      ::shutdown(connection.get(), SHUT_WR);
      char byte = 0;
      if (readable(connection.get()) && ::recv(connection.get(), &byte, 1, 0) == 0) ++clean_ends_;
    }
  }
  void read_request(int fd) {
    std::string request;
    std::array<char, 512> part{};
    while (request.find("\r\n\r\n") == std::string::npos) {
      const auto got = readable(fd) ? ::recv(fd, part.data(), part.size(), 0) : 0;
      if (got <= 0) return;
      request.append(part.data(), static_cast<std::size_t>(got));
    }
    const std::scoped_lock lock(mutex_);
    last_request_ = std::move(request);
  }

  Script script_;
  Endpoint address_;
  UniqueFd listener_;
  UniqueFd stop_;
  std::vector<UniqueFd> held_;
  std::atomic<int> connections_{0};
  std::atomic<int> clean_ends_{0};
  std::mutex mutex_;
  std::string last_request_;
  std::thread thread_;
};

/// Takes what is written to stderr while it lives.
class CapturedLog {
 public:
  CapturedLog() : file_(::memfd_create("log", MFD_CLOEXEC)), saved_(::dup(STDERR_FILENO)) {
    ::dup2(file_.get(), STDERR_FILENO);
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() { ::dup2(saved_.get(), STDERR_FILENO); }

  [[nodiscard]] std::string text() const {
    std::string all(static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END)), '\0');
    const auto got = ::pread(file_.get(), all.data(), all.size(), 0);
    all.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return all;
  }
  [[nodiscard]] bool has(const std::string& words) const {
    return text().find(words) != std::string::npos;
  }

 private:
  UniqueFd file_;
  UniqueFd saved_;
};

}  // namespace penstock::health
