// Each way to go wrong is one small change to a responder that does not.
#include "responder_chaos.h"

#include <algorithm>
#include <array>
#include <vector>

#include "penstock/load/random.h"
#include "responder_echo.h"

namespace penstock::load {
namespace {

class ClosingResponder final : public Responder {
 public:
  using Responder::Responder;
  void opened() override { peer.connection.close(Ending::plain); }
  [[nodiscard]] std::size_t produce(std::span<std::byte> /*to*/) override { return 0; }
  void consume(std::span<const std::byte> /*bytes*/) override {}
};

class ResettingResponder final : public EchoResponder {
 public:
  ResettingResponder(Peer& its_peer, std::uint64_t after) noexcept
      : EchoResponder(its_peer, {}), left_(after) {}
  void consume(std::span<const std::byte> bytes) override {
    if (bytes.size() > left_) return peer.reset();
    left_ -= bytes.size();
    EchoResponder::consume(bytes);
  }

 private:
  std::uint64_t left_;
};

class GarbageResponder final : public Responder {
 public:
  GarbageResponder(Peer& its_peer, std::uint64_t bytes, std::uint64_t seed) noexcept
      : Responder(its_peer), left_(bytes), random_(seed) {}
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override {
    to = to.first(std::min<std::uint64_t>(to.size(), left_));
    for (std::byte& byte : to) byte = static_cast<std::byte>(random_.next());
    left_ -= to.size();
    if (left_ == 0) peer.finish();
    return to.size();
  }
  void consume(std::span<const std::byte> /*bytes*/) override {}

 private:
  std::uint64_t left_;
  Random random_;
};

class StallingResponder final : public Responder {
 public:
  using Responder::Responder;
  void opened() override {
    peer.connection.want_input(false);
    // Not even the client's end is seen; the place is needed again one day.
    peer.connection.wake_at(peer.around.context.now + peer.around.options.linger);
  }
  void due() override { peer.reset(); }
  [[nodiscard]] std::size_t produce(std::span<std::byte> /*to*/) override { return 0; }
  void consume(std::span<const std::byte> /*bytes*/) override {}
  void stop() override { peer.reset(); }
};

class FlippingResponder final : public EchoResponder {
 public:
  FlippingResponder(Peer& its_peer, std::uint64_t at, std::uint64_t bit) noexcept
      : EchoResponder(its_peer, {}), at_(at), bit_(bit) {}
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override {
    const std::size_t size = EchoResponder::produce(to);
    if (at_ >= sent_ && at_ - sent_ < size) to[at_ - sent_] ^= std::byte{1} << (bit_ % 8);
    sent_ += size;
    return size;
  }

 private:
  std::uint64_t at_;
  std::uint64_t bit_;
  std::uint64_t sent_ = 0;
};

class HalfClosingResponder final : public EchoResponder {
 public:
  HalfClosingResponder(Peer& its_peer, std::uint64_t after) noexcept
      : EchoResponder(its_peer, {}), left_(after) {}
  void opened() override {
    if (left_ == 0) peer.finish();
  }
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override {
    const std::size_t size =
        EchoResponder::produce(to.first(std::min<std::uint64_t>(to.size(), left_)));
    left_ -= size;
    if (left_ == 0) peer.finish();
    return size;
  }
  void consume(std::span<const std::byte> bytes) override {
    if (!peer.finishing) EchoResponder::consume(bytes);
  }

 private:
  std::uint64_t left_;
};

constexpr std::array every_chaos = {Chaos::close, Chaos::reset, Chaos::garbage,
                                    Chaos::stall, Chaos::flip,  Chaos::half_close};

}  // namespace

ChaosDraw draw_chaos(const ServiceOptions& options, std::uint64_t number) noexcept {
  Random random(scramble(options.seed ^ scramble(number)));
  const std::span<const Chaos> from =
      options.chaos.empty() ? std::span<const Chaos>(every_chaos) : options.chaos;
  ChaosDraw draw;
  draw.kind = from[random.next() % from.size()];
  draw.bytes = random.next() % std::max<std::uint64_t>(options.chaos_bytes, 1);
  draw.random = random.next();
  return draw;
}

std::unique_ptr<Responder> make_chaos(Peer& peer) {
  const ChaosDraw draw = draw_chaos(peer.around.options, peer.number);
  switch (draw.kind) {
    case Chaos::close:
      return std::make_unique<ClosingResponder>(peer);
    case Chaos::reset:
      return std::make_unique<ResettingResponder>(peer, draw.bytes);
    case Chaos::garbage:
      return std::make_unique<GarbageResponder>(peer, draw.bytes, draw.random);
    case Chaos::stall:
      return std::make_unique<StallingResponder>(peer);
    case Chaos::flip:
      return std::make_unique<FlippingResponder>(peer, draw.bytes, draw.random);
    case Chaos::half_close:
      return std::make_unique<HalfClosingResponder>(peer, draw.bytes);
  }
  return nullptr;
}

}  // namespace penstock::load
