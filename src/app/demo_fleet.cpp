// What a demo server answers: who it is, what was asked, and from where the request reached it.
// GET /fail makes it fail its health checks for a while, so that one can watch it being left out.
#include "demo_fleet.h"

#include <fmt/format.h>
#include <httplib.h>

#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "penstock/base/start_thread.h"
#include "penstock/io/linux_kernel.h"

namespace penstock::app {
namespace {

constexpr const char* fleet_host = "127.0.0.1";
// A kept-alive connection holds a thread of cpp-httplib.
constexpr std::size_t threads_each = 32;
constexpr time_t keep_alive_s = 2;
constexpr Duration failure_time = 10s;

/// Starts as many threads as the servers will, and ends them: cpp-httplib ends the process when it
/// cannot have its own.
Result<void> rehearse(std::size_t count) {
  std::promise<void> done;
  const auto end = done.get_future().share();
  std::vector<std::jthread> threads;
  Result<void> all;
  while (all && threads.size() < count) {
    auto started = start_thread("of a demo server", [end] { end.wait(); });
    if (started) {
      threads.push_back(std::move(*started));
    } else {
      all = std::unexpected(started.error());
    }
  }
  done.set_value();
  return all;
}

}  // namespace

class DemoFleet::Server {
 public:
  explicit Server(std::string name) : name_(std::move(name)) {
    server_.new_task_queue = [] {
      return std::make_unique<httplib::ThreadPool>(threads_each).release();
    };
    server_.set_tcp_nodelay(true);
    server_.set_keep_alive_timeout(keep_alive_s);
    server_.set_keep_alive_max_count(1'000'000);
    server_.Get("/healthz", [this](const httplib::Request&, httplib::Response& response) {
      response.status = failing() ? 503 : 200;
      response.set_content(failing() ? "failing\n" : "well\n", "text/plain");
    });
    server_.Get("/fail", [this](const httplib::Request&, httplib::Response& response) {
      failing_until_.store((kernel_.now() + failure_time).time_since_epoch().count());
      response.set_content(name_ + " fails its health checks for 10 s\n", "text/plain");
    });
    server_.Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
      const std::string agent = request.get_header_value("User-Agent");
      response.set_content(
          fmt::format("{} answers {} {}: you are {} via {}:{}\n", name_, request.method,
                      request.path, agent.empty() ? "somebody" : agent, request.remote_addr,
                      request.remote_port),
          "text/plain");
    });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] Result<void> start() {
    const int port = server_.bind_to_any_port(fleet_host);
    if (port <= 0) return fail(fmt::format("demo server {} finds no free port", name_));
    auto parsed = Endpoint::parse(fmt::format("{}:{}", fleet_host, port));
    if (!parsed) return std::unexpected(parsed.error());
    address_ = *parsed;
    auto started = start_thread(name_, [this] { server_.listen_after_bind(); });
    if (!started) return std::unexpected(started.error());
    thread_ = std::move(*started);
    // stop() is without effect before the server runs, so wait until it has answered once.
    httplib::Client client(fleet_host, port);
    if (const auto answer = client.Get("/healthz"); !answer) {
      return fail(fmt::format("demo server {} does not answer: {}", name_,
                              httplib::to_string(answer.error())));
    }
    return {};
  }
  [[nodiscard]] Member member() const { return {.name = name_, .address = address_}; }

 private:
  [[nodiscard]] bool failing() {
    return kernel_.now().time_since_epoch().count() < failing_until_.load();
  }

  std::string name_;
  io::LinuxKernel kernel_;  // for its clock
  std::atomic<Duration::rep> failing_until_{0};
  Endpoint address_;
  httplib::Server server_;
  std::jthread thread_;
};

DemoFleet::DemoFleet() = default;
DemoFleet::~DemoFleet() = default;

Result<std::unique_ptr<DemoFleet>> DemoFleet::start(int count) {
  const auto servers = static_cast<std::size_t>(count);
  if (auto rehearsed = rehearse(servers * (threads_each + 1)); !rehearsed) {
    return std::unexpected(rehearsed.error());
  }
  auto fleet = std::make_unique<DemoFleet>();
  for (int i = 1; i <= count; ++i) {
    auto server = std::make_unique<Server>(fmt::format("turbine-{}", i));
    if (auto started = server->start(); !started) return std::unexpected(started.error());
    fleet->servers_.push_back(std::move(server));
  }
  return fleet;
}

std::vector<DemoFleet::Member> DemoFleet::members() const {
  std::vector<Member> members;
  for (const auto& server : servers_) members.push_back(server->member());
  return members;
}

}  // namespace penstock::app
