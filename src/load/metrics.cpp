// The names are a contract with dashboards: they follow prometheus.io/docs/practices/naming.
#include "metrics.h"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>

#include <array>
#include <iterator>
#include <string_view>
#include <thread>
#include <utility>

#include "penstock/base/start_thread.h"
#include "penstock/load/rate_profile.h"

namespace penstock::load {
namespace {

constexpr std::size_t serving_threads = 2;

/// Upper bounds of the histograms' buckets, in seconds.
constexpr std::array bounds = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                               0.05,   0.1,    0.2,    0.5,   1.0,   2.0,   5.0,  10.0};

/// A bucket of Histogram goes so far beyond what it holds: what is on a bound counts as within it.
constexpr double exactness = 1.001;

class Text {
 public:
  void begin(std::string_view name, std::string_view help, std::string_view type) {
    fmt::format_to(std::back_inserter(text_),
                   "# HELP penstock_load_{0} {1}\n# TYPE penstock_load_{0} {2}\n", name, help,
                   type);
  }
  template <class T>
  void sample(std::string_view name, T value) {
    fmt::format_to(std::back_inserter(text_), "penstock_load_{} {}\n", name, value);
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    begin(name, help, "counter");
    sample(name, value);
  }
  void histogram(std::string_view name, std::string_view help, const Histogram& histogram) {
    begin(name, help, "histogram");
    std::array<std::uint64_t, bounds.size()> within{};
    histogram.for_each([&within](Duration value, std::uint64_t times) {
      for (std::size_t i = 0; i < bounds.size(); ++i) {
        if (seconds(value) <= bounds[i] * exactness) within[i] += times;
      }
    });
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      sample(fmt::format("{}_bucket{{le=\"{}\"}}", name, bounds[i]), within[i]);
    }
    sample(fmt::format("{}_bucket{{le=\"+Inf\"}}", name), histogram.count());
    sample(fmt::format("{}_sum", name),
           seconds(histogram.mean()) * static_cast<double>(histogram.count()));
    sample(fmt::format("{}_count", name), histogram.count());
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string metrics_text(const Recorder& total) {
  const Counters& count = total.count;
  Text text;
  text.counter("operations_total", "Operations that went well.", count.operations);
  text.begin("errors_total", "Operations that failed, by what went wrong.", "counter");
  for (const ErrorInfo& info : all_errors()) {
    text.sample(fmt::format("errors_total{{class=\"{}\"}}", info.name), total.errors(info.error));
  }
  text.counter("unsent_total", "Operations that were never tried.", count.unsent);
  text.counter("received_bytes_total", "Bytes of streams, without TLS.", count.bytes_in);
  text.counter("sent_bytes_total", "Bytes of streams, without TLS.", count.bytes_out);
  text.counter("lost_bytes_total", "Bytes missing from answers and streams.", count.lost_bytes);
  text.counter("corrupt_streams_total", "Streams with a wrong byte in them.",
               count.corrupt_streams);
  text.counter("connections_total", "Connections that were opened.", count.connections);
  text.counter("connections_failed_total", "Attempts to open one that failed.",
               count.connections_failed);
  text.begin("handshakes_total", "TLS handshakes.", "counter");
  text.sample("handshakes_total{resumed=\"no\"}", count.handshakes_full);
  text.sample("handshakes_total{resumed=\"yes\"}", count.handshakes_resumed);
  text.histogram("latency_seconds", "From the intended start to the end of the answer.",
                 total.histogram(Measure::latency));
  text.histogram("service_seconds", "From the first byte sent to the end of the answer.",
                 total.histogram(Measure::service));
  return text.take();
}

class MetricsServer::Http {
 public:
  explicit Http(MetricsServer& metrics) {
    server_.new_task_queue = [] {
      return std::make_unique<httplib::ThreadPool>(serving_threads).release();
    };
    // A connection that is kept would hold a thread until it times out, at the end of the run too.
    server_.set_keep_alive_max_count(1);
    server_.set_socket_options([](int fd) {  // the library's own would share the port with others
      const int yes = 1;
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.Get("/metrics", [&metrics](const httplib::Request&, httplib::Response& response) {
      const std::scoped_lock lock(metrics.mutex_);
      response.set_content(metrics.text_, "text/plain; version=0.0.4; charset=utf-8");
    });
  }
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;
  ~Http() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Result<Endpoint> start(const Endpoint& at) {
    const std::string host = at.bare_host();
    int port = at.port();
    if (port == 0) {
      port = server_.bind_to_any_port(host);
    } else if (!server_.bind_to_port(host, port)) {
      port = -1;
    }
    if (port < 0) return fail(fmt::format("cannot listen on {}: is it taken?", at.to_string()));
    auto started = start_thread("metrics", [this] { server_.listen_after_bind(); });
    if (!started) return std::unexpected(started.error());
    thread_ = std::move(*started);
    // stop() is without effect before the server runs, so wait until it has answered once.
    httplib::Client client(host, port);
    if (const auto answer = client.Get("/metrics"); !answer) {
      return fail(fmt::format("the metrics on {} do not answer: {}", at.to_string(),
                              httplib::to_string(answer.error())));
    }
    return at.with_port(static_cast<std::uint16_t>(port));
  }

 private:
  httplib::Server server_;
  std::jthread thread_;
};

MetricsServer::MetricsServer() : text_(metrics_text(Recorder())) {}
MetricsServer::~MetricsServer() = default;

Result<void> MetricsServer::start(const Endpoint& at) {
  http_ = std::make_unique<Http>(*this);
  auto started = http_->start(at);
  if (!started) return std::unexpected(started.error());
  at_ = *started;
  return {};
}

void MetricsServer::publish(const Recorder& total) {
  std::string text = metrics_text(total);
  const std::scoped_lock lock(mutex_);
  text_ = std::move(text);
}

}  // namespace penstock::load
