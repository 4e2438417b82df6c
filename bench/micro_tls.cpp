// What TLS costs without a network: a full handshake on the server's side, and records. It is the
// floor that the rows on TLS of scripts/bench are held against.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <vector>

#include "penstock/base/log.h"
#include "penstock/tls/client.h"
#include "penstock/tls/engine.h"

namespace penstock {
namespace {

using Clock = std::chrono::steady_clock;
using Wire = std::vector<std::byte>;

std::unique_ptr<tls::Context> server_context() {
  tls::ServerOptions options;
  options.certificates.push_back(
      tls::Identity::make_self_signed("bench", log::wall_clock()).value());
  return tls::Context::create_server(options).value();
}

std::unique_ptr<tls::Context> client_context(tls::Version version) {
  tls::ClientOptions options;
  options.verification = tls::Verification::off;
  options.terms.min_version = options.terms.max_version = version;
  return tls::Context::create_client(options).value();
}

/// One end, and the ciphertext that it has been sent.
struct End {
  std::unique_ptr<tls::Engine> engine;
  Wire input;
  tls::Status status = tls::Status::want_input;

  /// Goes on with the handshake; what it sends is appended to `peer`'s input.
  void shake(End& peer) {
    std::array<std::byte, 16384> room;
    tls::Window window{.input = input, .input_ended = false, .output = room};
    if (status != tls::Status::ok) status = engine->handshake(window);
    input.erase(input.begin(), input.end() - static_cast<std::ptrdiff_t>(window.input.size()));
    peer.input.insert(peer.input.end(), room.begin(),
                      room.end() - static_cast<std::ptrdiff_t>(window.output.size()));
  }
};

struct Pair {
  End server;
  End client;
  Clock::duration server_time{};

  Pair(tls::Context& to, tls::Context& from) {
    client.engine = tls::Engine::create_client(from, {}).value();
    const auto begin = Clock::now();
    server.engine = tls::Engine::create_server(to).value();
    server_time += Clock::now() - begin;
    for (int i = 0; i < 8 && !both_done(); ++i) {
      client.shake(server);
      const auto began = Clock::now();
      server.shake(client);
      server_time += Clock::now() - began;
    }
  }
  [[nodiscard]] bool both_done() const {
    return server.status == tls::Status::ok && client.status == tls::Status::ok;
  }
};

void shake_hands(benchmark::State& state) {
  const auto to = server_context();
  const auto from =
      client_context(state.range(0) == 13 ? tls::Version::tls13 : tls::Version::tls12);
  for (auto _ : state) {
    auto pair = std::make_unique<Pair>(*to, *from);
    if (!pair->both_done()) return state.SkipWithError("the handshake failed");
    const auto began = Clock::now();
    pair->server.engine.reset();
    const auto time = pair->server_time + (Clock::now() - began);
    state.SetIterationTime(std::chrono::duration<double>(time).count());
  }
}
BENCHMARK(shake_hands)->Arg(12)->Arg(13)->UseManualTime()->Unit(benchmark::kMicrosecond);

/// The server encrypts, the client decrypts; each is a benchmark of its own.
void move_records(benchmark::State& state, bool encrypt) {
  const auto to = server_context();
  const auto from = client_context(tls::Version::tls13);
  Pair pair(*to, *from);
  if (!pair.both_done()) return state.SkipWithError("the handshake failed");
  const std::vector<std::byte> plain(static_cast<std::size_t>(state.range(0)), std::byte{7});
  std::vector<std::byte> sealed(plain.size() + 4096);
  std::vector<std::byte> opened(plain.size() + 4096);
  for (auto _ : state) {
    const auto began = Clock::now();
    tls::Window out{.input = {}, .input_ended = false, .output = sealed};
    const auto written = pair.server.engine->write(out, plain);
    const auto between = Clock::now();
    pair.client.input.insert(pair.client.input.end(), sealed.begin(),
                             sealed.end() - static_cast<std::ptrdiff_t>(out.output.size()));
    const auto reading = Clock::now();
    std::array<std::byte, 256> answer;
    tls::Window in{.input = pair.client.input, .input_ended = false, .output = answer};
    const auto read = pair.client.engine->read(in, opened);
    const auto end = Clock::now();
    pair.client.input.clear();
    if (written.bytes != plain.size() || read.bytes != plain.size()) {
      return state.SkipWithError("bytes are missing");
    }
    state.SetIterationTime(
        std::chrono::duration<double>(encrypt ? between - began : end - reading).count());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(move_records, encrypt, true)->Arg(64)->Arg(16384)->UseManualTime();
BENCHMARK_CAPTURE(move_records, decrypt, false)->Arg(64)->Arg(16384)->UseManualTime();

}  // namespace
}  // namespace penstock
