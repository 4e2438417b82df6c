// Responders that know what the bytes are: the pattern, or nothing that matters.
#pragma once

#include "responder.h"

namespace penstock::load {

class SinkResponder final : public Responder {
 public:
  using Responder::Responder;
  [[nodiscard]] std::size_t produce(std::span<std::byte> /*to*/) override { return 0; }
  void consume(std::span<const std::byte> /*bytes*/) override {}
};

/// Sends so many bytes of the pattern; 0: until the client ends its stream, or the service stops.
class SourceResponder final : public Responder {
 public:
  SourceResponder(Peer& its_peer, StreamKey key, std::uint64_t bytes) noexcept
      : Responder(its_peer), key_(key), bytes_(bytes) {}
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override;
  void consume(std::span<const std::byte> /*bytes*/) override {}
  void ended() override;
  void stop() override;

 private:
  StreamKey key_;
  std::uint64_t bytes_;
  std::uint64_t sent_ = 0;
};

/// Purpose::rr.
class RequestResponder final : public Responder {
 public:
  RequestResponder(Peer& its_peer, const Preface& preface) noexcept
      : Responder(its_peer),
        key_(preface.key),
        request_size_(preface.request_size),
        answer_size_(preface.answer_size) {}
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override;
  void consume(std::span<const std::byte> bytes) override;
  void ended() override;

 private:
  StreamKey key_;
  std::uint64_t request_size_;
  std::uint64_t answer_size_;
  std::uint64_t received_ = 0;
  std::uint64_t owed_ = 0;  // bytes of answers
  std::uint64_t sent_ = 0;
};

/// Purpose::upload.
class UploadResponder final : public Responder {
 public:
  UploadResponder(Peer& its_peer, StreamKey key) noexcept : Responder(its_peer), key_(key) {}
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override;
  void consume(std::span<const std::byte> bytes) override;
  void ended() override {}  // produce() is called next

 private:
  StreamKey key_;
  Receipt receipt_;
};

}  // namespace penstock::load
