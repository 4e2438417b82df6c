// Bulk streams in both directions, and who has to say when one is whole.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "failure_class.h"
#include "parts.h"
#include "penstock/load/pattern.h"
#include "preface.h"

namespace penstock::load {
namespace {

class BulkPart : public Part {
 public:
  BulkPart(Member& its_member, Purpose purpose, bool its_verify) noexcept
      : Part(its_member), verify(its_verify), purpose_(purpose) {}

  void begin() override {
    began_ = member.context.kernel.now();
    member.connection->flush();
  }
  void lost(const Failure& failure) override {
    settle(false);
    member.fail(classify(failure, total > 0), failure.errno_value, reason_of(failure));
  }
  void abandoned() override {
    settle(false);
    Part::abandoned();
  }
  void stop() override {
    lasted_ = lasted();
    bytes_until_stop_ = total;
    member.connection->finish();
  }

 protected:
  [[nodiscard]] std::size_t preface(std::span<std::byte> to) {
    if (!verify || std::exchange(introduced_, true)) return 0;
    const Preface preface{.purpose = purpose_, .key = {member.key}};
    std::ranges::copy(preface.encode(), to.begin());
    return Preface::size;
  }
  void finish_well() {
    settle(true);
    member.done();
  }
  void cut_off() {
    settle(false);
    member.fail(total > 0 ? ErrorClass::ended_within : ErrorClass::ended_before);
  }
  void corrupt(const std::string& why) {
    ++member.recorder->count.corrupt_streams;
    settle(false);
    member.fail(ErrorClass::corrupt, 0, why);
  }
  [[nodiscard]] bool stopping() const noexcept { return lasted_.has_value(); }

  bool verify;
  std::uint64_t total = 0;  // of the stream

 private:
  [[nodiscard]] Duration lasted() const noexcept {
    return member.running ? member.context.kernel.now() - began_ : Duration::zero();
  }
  /// While the socket is there to be asked.
  void settle(bool whole) {
    if (member.settled || !member.running) return;
    member.recorder->add_stream({.up = purpose_ == Purpose::upload,
                                 .whole = whole,
                                 .bytes = bytes_until_stop_.value_or(total),
                                 .lasted = lasted_.value_or(lasted()),
                                 .retransmits = member.connection->retransmits()});
  }

  Purpose purpose_;
  bool introduced_ = false;
  Instant began_{};
  std::optional<Duration> lasted_;
  std::optional<std::uint64_t> bytes_until_stop_;
};

class UploadPart final : public BulkPart {
 public:
  UploadPart(Member& its_member, bool its_verify) noexcept
      : BulkPart(its_member, Purpose::upload, its_verify) {}

  std::size_t produce(std::span<std::byte> to) override {
    if (!member.running) return 0;
    const std::size_t begin = preface(to);
    to = to.subspan(begin);
    fill_pattern({member.key}, total, to);
    total += to.size();
    return begin + to.size();
  }
  void consume(std::span<const std::byte> bytes) override {
    if (!verify) return;  // who answers what it is sent may do so
    if (bytes.size() > receipt_.size() - received_) return member.fail(ErrorClass::bad_response);
    std::ranges::copy(bytes, receipt_.begin() + static_cast<std::ptrdiff_t>(received_));
    received_ += bytes.size();
  }
  void ended() override {
    if (!stopping()) return cut_off();
    if (!verify) return finish_well();
    if (received_ < receipt_.size()) return cut_off();
    const auto receipt = Receipt::decode(receipt_);
    if (!receipt) return member.fail(ErrorClass::bad_response, 0, "no receipt for an upload");
    if (receipt->first_wrong) {
      return corrupt(fmt::format("byte {} of an upload arrived wrong", *receipt->first_wrong));
    }
    if (receipt->bytes == total) return finish_well();
    member.recorder->count.lost_bytes += total - std::min(total, receipt->bytes);
    cut_off();
  }

 private:
  std::array<std::byte, Receipt::size> receipt_{};
  std::size_t received_ = 0;
};

class DownloadPart final : public BulkPart {
 public:
  DownloadPart(Member& its_member, bool its_verify) noexcept
      : BulkPart(its_member, Purpose::download, its_verify) {}

  std::size_t produce(std::span<std::byte> to) override { return member.running ? preface(to) : 0; }
  void consume(std::span<const std::byte> bytes) override {
    const StreamKey key = answer_key({member.key});
    const std::uint64_t offset = total;
    total += bytes.size();
    if (!verify) return;
    const auto wrong = check_pattern(key, offset, bytes);
    if (!wrong) return;
    corrupt(fmt::format("from byte {} of a download on, {}", offset + *wrong,
                        damage_text(diagnose(key, offset + *wrong, bytes.subspan(*wrong)))));
  }
  void ended() override {
    if (!stopping() || total == 0) return cut_off();
    finish_well();
  }
};

}  // namespace

std::unique_ptr<Part> make_upload(Member& member, bool verify) {
  return std::make_unique<UploadPart>(member, verify);
}

std::unique_ptr<Part> make_download(Member& member, bool verify) {
  return std::make_unique<DownloadPart>(member, verify);
}

}  // namespace penstock::load
