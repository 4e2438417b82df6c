// Clients that nobody wants, and what the target does about each.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "failure_class.h"
#include "parts.h"
#include "penstock/load/random.h"

namespace penstock::load {
namespace {

constexpr Duration slowloris_pause = 1s;
constexpr std::size_t most_garbage = 16384;

class IdlePart final : public Part {
 public:
  using Part::Part;
  std::size_t produce(std::span<std::byte> /*to*/) override { return 0; }
  void consume(std::span<const std::byte> /*bytes*/) override {}  // some greet their clients
  void ended() override { member.fail(ErrorClass::idle_lost); }
  void lost(const Failure& failure) override {
    const bool was_there = failure.phase == Phase::stream;
    member.fail(was_there ? ErrorClass::idle_lost : classify(failure, false), failure.errno_value,
                reason_of(failure));
  }
  void stop() override { member.done(); }
};

class ChaosPart : public Part {
 public:
  ChaosPart(Member& its_member, ChaosKind kind) noexcept : Part(its_member), kind_(kind) {}

  void opened() override {
    opened_ = member.context.kernel.now();
    ++member.recorder->count.streams;
    tally("connected");
  }
  std::size_t produce(std::span<std::byte> /*to*/) override { return 0; }
  void consume(std::span<const std::byte> /*bytes*/) override {
    if (!std::exchange(answered_, true)) tally("answered");
  }
  void ended() override { endured("ended by the target", Ending::plain); }
  void lost(const Failure& failure) override {
    if (failure.phase == Phase::stream) return endured("reset by the target", Ending::reset);
    tally("not connected");
    member.fail(classify(failure, false), failure.errno_value, reason_of(failure));
  }
  void stop() override { abandoned(); }
  void abandoned() override {
    tally("held until the end");
    member.end(Ending::reset);
  }

 protected:
  void tally(std::string_view what) {
    member.recorder->tally(fmt::format("{}: {}", name_of(kind_), what));
  }

 private:
  void endured(std::string_view how, Ending ending) {
    tally(how);
    member.recorder->record(Measure::endured, member.context.kernel.now() - opened_);
    member.end(ending);
  }
  ChaosKind kind_;
  Instant opened_{};
  bool answered_ = false;
};

class SlowlorisPart final : public ChaosPart {
 public:
  explicit SlowlorisPart(Member& its_member) noexcept
      : ChaosPart(its_member, ChaosKind::slowloris) {}
  void begin() override { due(); }
  void due() override {
    owed_ = true;
    member.connection->wake_at(member.context.now + slowloris_pause);
    member.connection->flush();
  }
  std::size_t produce(std::span<std::byte> to) override {
    constexpr std::string_view begin = "GET / HTTP/1.1\r\nHost: slow\r\nX-Slow: ";
    if (!std::exchange(owed_, false)) return 0;
    to.front() = static_cast<std::byte>(sent_ < begin.size() ? begin[sent_] : 'a');
    ++sent_;
    return 1;
  }

 private:
  bool owed_ = false;
  std::size_t sent_ = 0;
};

/// Sends what it was given, once or again and again.
class SendingPart final : public ChaosPart {
 public:
  SendingPart(Member& its_member, ChaosKind kind, std::span<const std::byte> bytes) noexcept
      : ChaosPart(its_member, kind), bytes_(bytes), again_(kind == ChaosKind::zero_window) {}
  void begin() override {
    if (again_) member.connection->want_input(false);
    member.connection->flush();
  }
  std::size_t produce(std::span<std::byte> to) override {
    if (!member.running) return 0;
    std::size_t written = 0;
    while (written < to.size() && (sent_ < bytes_.size() || again_)) {
      if (sent_ == bytes_.size()) sent_ = 0;
      const auto part = bytes_.subspan(sent_, std::min(bytes_.size() - sent_, to.size() - written));
      std::ranges::copy(part, to.begin() + static_cast<std::ptrdiff_t>(written));
      sent_ += part.size();
      written += part.size();
    }
    return written;
  }

 private:
  std::span<const std::byte> bytes_;
  bool again_;
  std::size_t sent_ = 0;
};

class GarbagePart final : public ChaosPart {
 public:
  explicit GarbagePart(Member& its_member) noexcept
      : ChaosPart(its_member, ChaosKind::garbage),
        random_(its_member.key),
        left_(1 + (random_.next() % most_garbage)) {}
  void begin() override { member.connection->flush(); }
  std::size_t produce(std::span<std::byte> to) override {
    if (!member.running) return 0;
    to = to.first(std::min(to.size(), left_));
    for (std::byte& each : to) each = static_cast<std::byte>(random_.next());
    left_ -= to.size();
    return to.size();
  }

 private:
  Random random_;
  std::size_t left_;
};

class ResetPart final : public ChaosPart {
 public:
  explicit ResetPart(Member& its_member) noexcept : ChaosPart(its_member, ChaosKind::reset) {}
  void begin() override {
    tally("reset by us");
    member.end(Ending::reset);
  }
};

}  // namespace

std::string_view name_of(ChaosKind kind) noexcept {
  return chaos_kinds[static_cast<std::size_t>(kind)];
}

std::unique_ptr<Part> make_idle(Member& member) { return std::make_unique<IdlePart>(member); }

std::unique_ptr<Part> make_chaos(Member& member, ChaosKind kind, const ChaosMaterial& material) {
  const auto hello = std::span(material.hello);
  switch (kind) {
    case ChaosKind::slowloris:
      return std::make_unique<SlowlorisPart>(member);
    case ChaosKind::half_hello:
      return std::make_unique<SendingPart>(member, kind, hello.first(hello.size() / 2));
    case ChaosKind::zero_window:
      return std::make_unique<SendingPart>(member, kind,
                                           std::as_bytes(std::span(material.request)));
    case ChaosKind::reset:
      return std::make_unique<ResetPart>(member);
    case ChaosKind::garbage:
      return std::make_unique<GarbagePart>(member);
    case ChaosKind::silent:
      break;
  }
  return std::make_unique<ChaosPart>(member, kind);
}

}  // namespace penstock::load
