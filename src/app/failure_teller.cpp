// At most five lines a second, and one about the rest.
#include "failure_teller.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/log.h"
#include "penstock/tls/handshake_fault.h"
#include "words.h"

namespace penstock::app {
namespace {

constexpr std::uint64_t lines_at_once = 5;
constexpr Duration pause = 1s;

std::string alert_text(std::optional<std::uint8_t> number, std::string_view verb) {
  if (!number) return {};
  return fmt::format("; alert {} {}", tls::alert_name(*number), verb);
}

}  // namespace

FailureTeller::FailureTeller(const stats::Names& names, std::uint32_t shards) : names_(names) {
  for (std::uint32_t i = 0; i < shards; ++i)
    boxes_.push_back(std::make_unique<stats::FailureBox>());
}

Instant FailureTeller::due() const noexcept {
  const bool news = std::ranges::any_of(boxes_, [](const auto& box) { return box->has_news(); });
  return news ? again_ : never;
}

void FailureTeller::tell(Instant now) {
  if (now < due()) return;
  std::uint64_t told = 0;
  std::uint64_t rest = 0;
  for (const auto& box : boxes_) {
    box->open();
    while (const auto failure = box->take()) {
      if (told < lines_at_once) {
        log::warn("{}", line_of(*failure));
        ++told;
      } else {
        ++rest;
      }
    }
    rest += box->take_dropped();
  }
  if (rest > 0) log::warn("TLS: {} more failed; the counters tell why", counted(rest, "handshake"));
  again_ = now + pause;
}

std::string FailureTeller::line_of(const stats::HandshakeFailure& failure) const {
  const std::string listener = names_.listeners[failure.listener.value];
  const std::string_view name = failure.server_name.view();
  const std::string about =
      fmt::format("{}{}{}", failure.cause.view(), alert_text(failure.alert_sent, "sent"),
                  alert_text(failure.alert_received, "received"));
  if (failure.backend) {
    return fmt::format("TLS: {} failed the handshake{}: {}",
                       names_.backends[failure.backend->value],
                       name.empty() ? "" : fmt::format(" as {}", name), about);
  }
  return fmt::format("TLS: {} failed the handshake on {}{}: {}", failure.client.to_string(),
                     listener, name.empty() ? "" : fmt::format(" for {}", name), about);
}

}  // namespace penstock::app
