// The TLS engine, in two ways that the last byte of an input chooses between: any bytes as what a
// client sends, and a real client whose bytes the fuzzer handles badly (tls_session.h). OpenSSL's
// random numbers come from a fixed seed, so that an input does the same every time.
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <array>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "penstock/base/assert.h"
#include "target.h"
#include "tls_session.h"

namespace penstock::fuzz {
namespace {

using tls::Status;
using tls::test::ClientOptions;

/// libFuzzer takes these for more of the counters that instrumented code has. OpenSSL is not
/// instrumented, but how runs end tells them apart.
[[gnu::section("__libfuzzer_extra_counters")]] std::array<std::uint8_t, 4096> endings;

void note(const std::string& ending) {
  endings[std::hash<std::string>()(ending) % endings.size()] = 1;
}

std::mt19937_64& chance() {
  static std::mt19937_64 generator;
  return generator;
}

int random_bytes(unsigned char* to, int size) {
  for (int i = 0; i < size; ++i) to[i] = static_cast<unsigned char>(chance()());
  return 1;
}

void make_openssl_repeatable() {
  static RAND_METHOD method{};
  method.bytes = random_bytes;
  method.pseudorand = random_bytes;
  method.status = [] { return 1; };
  RAND_set_rand_method(&method);
}

/// What all runs share, as on a shard.
struct Shared {
  Shared() {
    make_openssl_repeatable();
    tls::ServerOptions options;
    options.alpn = {"h2", "http/1.1"};
    context = tls::test::make_context(std::move(options));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      tls::test::Client client({.version = version});
      tls::test::Server server(*context);
      PENSTOCK_ASSERT(tls::test::run_handshake(client, server) == Status::ok);
      client.read();  // the ticket
      sessions[version == TLS1_3_VERSION ? 1 : 0].reset(SSL_SESSION_dup(client.session()));
    }
  }
  std::unique_ptr<tls::Context> context;
  std::array<std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>, 2> sessions{
      {{nullptr, SSL_SESSION_free}, {nullptr, SSL_SESSION_free}}};
};

/// Any bytes, in any pieces, until they are used up and the client is gone.
void run_bytes(Shared& shared, Input& input) {
  CheckedServer server(*shared.context);
  while (!server.over()) {
    server.draw_windows(input);
    if (input.empty()) {
      server.set_windows(65536, 65536);
      server.end_input();
    }
    server.deliver(input.take(1 + input.below(4096)));
    const Status status = server.handshake();
    PENSTOCK_ASSERT(status != Status::ok);  // nobody knows the keys
    PENSTOCK_ASSERT(!server.input_ended() || status != Status::want_input);
  }
  server.handshake();  // says so again
  note(server.failure());
}

void run_session(Shared& shared, Input& input) {
  const std::uint8_t kind = input.byte();
  const bool is_13 = (kind & 1U) != 0;
  ClientOptions options{.version = is_13 ? TLS1_3_VERSION : TLS1_2_VERSION};
  if ((kind & 2U) != 0) options.server_name = "localhost";
  if ((kind & 4U) != 0) options.alpn = "\x08http/1.1\x02h2";
  if ((kind & 8U) != 0) options.groups = "P-521:P-256";  // TLS 1.3: a HelloRetryRequest
  std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> resumed(nullptr, SSL_SESSION_free);
  if ((kind & 16U) != 0) {
    resumed.reset(SSL_SESSION_dup(shared.sessions[is_13 ? 1 : 0].get()));
    options.session = resumed.get();
  }
  Session session(*shared.context, {.client = options, .changes_keys = is_13});
  while (!input.empty()) session.act(input);
  session.finish();
  note(session.summary() + std::to_string(kind & 17U));
}

}  // namespace

void run(std::span<const std::uint8_t> bytes) {
  static Shared shared;
  chance().seed(1);
  Input input(bytes);
  if (input.byte() % 2 == 0) {
    run_bytes(shared, input);
  } else {
    run_session(shared, input);
  }
}

}  // namespace penstock::fuzz
