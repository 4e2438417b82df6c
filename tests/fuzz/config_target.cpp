// Any text as a configuration file. The reader gives a Config that holds what its header promises,
// or errors that each have a place inside the text and take one line. The text stands for a file
// in tests/data/config/broken, so that the certificates which its neighbours name are there.
#include <algorithm>
#include <chrono>
#include <string_view>
#include <tuple>
#include <vector>

#include "penstock/base/assert.h"
#include "penstock/config/config.h"
#include "target.h"

namespace penstock::fuzz {
namespace {

constexpr const char* path = PENSTOCK_TEST_DATA "/config/broken/fuzzed.toml";

/// How many columns each line has: its characters, however many bytes they take.
std::vector<std::size_t> columns_of(std::string_view text) {
  std::vector<std::size_t> columns = {0};
  for (const char c : text) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
    if (c == '\n') {
      columns.push_back(0);
    } else if (!continues) {
      ++columns.back();
    }
  }
  return columns;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

void check(const config::Diagnostics& errors, std::string_view text) {
  const auto columns = columns_of(text);
  PENSTOCK_ASSERT(!errors.empty());
  for (const config::Diagnostic& error : errors) {
    PENSTOCK_ASSERT(error.file == path);
    PENSTOCK_ASSERT(error.line >= 1 && error.line <= columns.size());
    // Just behind the last character is where something is missing.
    PENSTOCK_ASSERT(error.column >= 1 && error.column <= columns[error.line - 1] + 1);
    PENSTOCK_ASSERT(!error.message.empty());
    PENSTOCK_ASSERT(std::ranges::none_of(error.message, is_control));
  }
  PENSTOCK_ASSERT(std::ranges::is_sorted(errors, {}, [](const config::Diagnostic& error) {
    return std::tuple(error.line, error.column);
  }));
}

void check(const tls::ServerOptions& tls) {
  PENSTOCK_ASSERT(!tls.certificates.empty());
  PENSTOCK_ASSERT(tls.terms.min_version <= tls.terms.max_version);
  PENSTOCK_ASSERT(tls.tickets.secret.empty() ||
                  tls.tickets.secret.size() >= tls::Tickets::least_secret);
  PENSTOCK_ASSERT(tls.tickets.rotation > std::chrono::seconds::zero());
  const auto is_whole = [](const tls::ClientVerification& clients) {
    return clients.mode == tls::ClientVerification::Mode::off || clients.authorities != nullptr;
  };
  PENSTOCK_ASSERT(is_whole(tls.clients));
  for (const auto& [name, clients] : tls.clients_by_name)
    PENSTOCK_ASSERT(!name.empty() && is_whole(clients));
}

void check(const config::Config& config) {
  PENSTOCK_ASSERT(!config.listeners.empty() && !config.pools.empty());
  for (const config::Listener& listener : config.listeners) {
    PENSTOCK_ASSERT(!listener.bind.empty());
    PENSTOCK_ASSERT(listener.pool || !listener.routes.empty());
    PENSTOCK_ASSERT(!listener.pool || listener.pool->value < config.pools.size());
    for (const config::Route& route : listener.routes) {
      PENSTOCK_ASSERT(route.pool.value < config.pools.size());
      PENSTOCK_ASSERT(!route.server_names.empty() || !route.protocols.empty());
      PENSTOCK_ASSERT(route.passthrough || listener.tls);
    }
    if (listener.tls) check(*listener.tls);
  }
  std::uint32_t next = 0;
  for (const config::Pool& pool : config.pools) {
    PENSTOCK_ASSERT(!pool.backends.empty() && pool.backends.size() <= pool.table_size);
    PENSTOCK_ASSERT(pool.connect_tries >= 1);
    for (const config::Backend& backend : pool.backends) {
      PENSTOCK_ASSERT(backend.id.value == next++);
      PENSTOCK_ASSERT(!backend.name.empty() && backend.weight >= 1);
      PENSTOCK_ASSERT(backend.address.is_ip() || backend.address.is_unix());
    }
    if (!pool.health) continue;
    PENSTOCK_ASSERT(pool.health->rise >= 1 && pool.health->fall >= 1);
    PENSTOCK_ASSERT(!pool.health->expect.empty());
  }
  PENSTOCK_ASSERT(config.backend_count() == next);
}

}  // namespace

void run(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto config = config::parse(text, path);
  if (config) {
    check(*config);
  } else {
    check(config.error(), text);
  }
}

}  // namespace penstock::fuzz
