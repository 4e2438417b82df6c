// CodecRr: requests and answers of fixed sizes whose bytes are a pattern. With equal sizes an
// answer is the request itself, so any echo server does. With different sizes the connection opens
// with a preface that tells our own server (serve.h) what to check and what to answer.
#pragma once

#include "codec.h"
#include "penstock/load/pattern.h"

namespace penstock::load {

struct CodecRrOptions {
  std::size_t request_size = 64;
  std::size_t answer_size = 64;
  bool verify = true;
};

class CodecRr final : public Codec {
 public:
  explicit CodecRr(const CodecRrOptions& options) noexcept : options_(options) {}
  [[nodiscard]] std::size_t write(CodecState& state, std::span<std::byte> to) const override;
  [[nodiscard]] Answer read(CodecState& state, std::span<const std::byte>& bytes) const override;
  [[nodiscard]] Answer end(CodecState& /*state*/) const override { return {}; }

 private:
  [[nodiscard]] bool echoed() const noexcept {
    return options_.request_size == options_.answer_size;
  }
  CodecRrOptions options_;
};

}  // namespace penstock::load
