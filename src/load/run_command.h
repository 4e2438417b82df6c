// The options of `penstock-load run` as they are written, and what they come to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "run_options.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's
class App;
}

namespace penstock::load {

class RunCommand {
 public:
  /// Adds its options to the command.
  void add_to(CLI::App& command);
  /// What they come to. Error: a sentence about the first that is wrong or does not fit the others.
  [[nodiscard]] Result<RunOptions> options() const;

 private:
  void add_shape(CLI::App& command);
  void add_more(CLI::App& command);
  void add_connections(CLI::App& command);
  void add_crowd(CLI::App& command);
  void add_tls(CLI::App& command);
  [[nodiscard]] Result<std::vector<Endpoint>> elsewhere() const;
  [[nodiscard]] Result<void> set_target(RunOptions& options) const;
  [[nodiscard]] Result<void> set_rate(RunOptions& options, const std::string& text) const;
  [[nodiscard]] Result<void> set_shape(RunOptions& options) const;
  [[nodiscard]] Result<void> set_limits(RunOptions& options) const;
  [[nodiscard]] Result<void> set_connections(RunOptions& options) const;
  [[nodiscard]] Result<void> set_introduction(RunOptions& options) const;
  [[nodiscard]] Result<void> set_crowd(RunOptions& options) const;
  void set_ciphers(tls::ClientOptions& options) const;
  [[nodiscard]] Result<void> set_tls(RunOptions& options) const;
  [[nodiscard]] Result<void> check_use(RunOptions& options) const;

  const CLI::App* command_ = nullptr;
  std::vector<std::string> targets_;
  std::string mode_ = "rr";
  std::string rate_;
  std::string ramp_;
  std::string steps_;
  std::string arrival_ = "uniform";
  std::uint32_t burst_ = 1;
  bool no_catchup_ = false;
  bool closed_ = false;
  std::string duration_;  // empty: the load's own default
  std::string warmup_ = "0s";
  std::uint64_t operations_ = 0;
  std::uint32_t connections_ = 0;  // 0: the mode's own default
  std::uint32_t threads_ = 1;
  std::vector<int> cpus_;
  std::uint32_t depth_ = 1;
  std::uint64_t size_ = 64;
  std::uint64_t answer_size_ = 0;
  bool no_verify_ = false;
  std::string sources_;
  std::vector<std::string> connect_to_;
  std::string keepalive_requests_;
  int send_buffer_ = 0;     // the kernel's own
  int receive_buffer_ = 0;  // likewise
  std::string port_range_;
  std::string proxy_protocol_;
  std::string timeout_ = "10s";
  std::string connect_timeout_ = "5s";
  std::string close_ = "fin";
  std::uint64_t backlog_ = 1'000'000;
  std::uint64_t seed_ = 1;
  std::string interval_ = "1s";
  std::string direction_ = "up";
  std::vector<std::string> chaos_;
  std::uint32_t active_ = 1;
  std::string dials_;
  std::vector<int> watched_;
  bool tls_ = false;
  std::string ca_;
  std::vector<std::string> server_names_;
  double resume_ = 0;
  std::string certificate_;
  std::string key_;
  std::string ciphers_;
  std::string signature_algorithms_;
  std::string version_;
  std::string groups_;
  std::string method_ = "GET";
  std::vector<std::string> headers_;
  std::string body_;
  std::string assert_;
  std::string slo_;
  std::string start_rate_ = "1k";
  OutputFiles files_;
  std::string metrics_at_;
  std::vector<std::string> labels_;
  bool no_live_ = false;
};

}  // namespace penstock::load
