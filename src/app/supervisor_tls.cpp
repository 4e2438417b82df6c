// Certificates and what belongs to them, while penstock serves: what has changed on disk is read
// and checked as at the start, and then used for handshakes to come. What is no good is told of,
// and the old stays.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <utility>

#include "penstock/base/log.h"
#include "supervisor.h"
#include "words.h"

namespace penstock::app {
namespace {

constexpr auto expires_soon = std::chrono::hours(21 * 24);

void tell_expiry_of(const config::Listener& listener, const tls::Identity& identity,
                    std::chrono::system_clock::time_point now) {
  const auto left = identity.expiry() - now;
  if (left > expires_soon) return;
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(left).count();
  const auto date =
      fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                  fmt::gmtime(std::chrono::system_clock::to_time_t(identity.expiry())));
  if (hours < 0) {
    log::error("TLS: the certificate of {} on {} has expired on {}: renew it", identity.subject(),
               listener.name, date);
  } else {
    log::warn("TLS: the certificate of {} on {} expires on {}, in {}: renew it", identity.subject(),
              listener.name, date, counted(static_cast<std::uint64_t>(hours) / 24, "day"));
  }
}

}  // namespace

std::vector<std::string> Supervisor::renew_tls() {
  const auto refuse = [this](std::string_view why) {
    log::error("TLS: files have changed and are no good, the old ones stay in use: {}", why);
    return renewed_ ? renewed_->files : config_.files;
  };
  auto renewed = config::parse(config_.text, config_.path);
  if (!renewed) return refuse(renewed.error().front().text());
  if (const auto used = use_tls(*renewed); !used) return refuse(used.error().message);
  log::info("TLS: files have changed and are in use");
  renewed_ = std::make_unique<const config::Config>(std::move(*renewed));
  tell_expiry();
  return renewed_->files;
}

/// Gives every shard and the health checks contexts of their own; nothing has changed on an error.
Result<void> Supervisor::use_tls(const config::Config& renewed) {
  std::vector<std::unique_ptr<relay::TlsContexts>> contexts;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    auto made = relay::TlsContexts::build(renewed);
    if (!made) return std::unexpected(made.error());
    contexts.push_back(std::move(*made));
  }
  auto checks = health::Plan::make_contexts(renewed);
  if (!checks) return std::unexpected(checks.error());
  for (std::size_t i = 0; i < shards_.size(); ++i)
    shards_[i]->object().push_contexts(std::move(contexts[i]));
  if (health_) {
    health_->object().push_contexts(std::make_unique<health::Plan::Contexts>(std::move(*checks)));
  }
  return {};
}

void Supervisor::tell_expiry() {
  const config::Config& current = renewed_ ? *renewed_ : config_;
  const auto now = log::wall_clock();
  for (const config::Listener& listener : current.listeners) {
    if (!listener.tls) continue;
    for (const tls::Identity& identity : listener.tls->certificates)
      tell_expiry_of(listener, identity, now);
  }
}

std::expected<void, StartError> Supervisor::watch_tls_files() {
  if (config_.files.empty()) return {};
  auto started = FileWatch::start(config_.files, {.changed = [this] { return renew_tls(); },
                                                  .daily = [this] { tell_expiry(); }});
  if (!started) {
    return std::unexpected(
        StartError{.exit_code = 1, .message = std::move(started.error().message)});
  }
  tls_files_ = std::move(*started);
  return {};
}

}  // namespace penstock::app
