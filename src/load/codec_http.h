// CodecHttp: one HTTP/1.1 request, again and again, and answers by their framing: Content-Length,
// chunks, or the end of the stream (RFC 9112, 6.3). It checks framing and length, not content.
#pragma once

#include <string>
#include <string_view>

#include "codec.h"

namespace penstock::load {

class CodecHttp final : public Codec {
 public:
  /// `request`: head and body, as it goes out.
  explicit CodecHttp(std::string request) : request_(std::move(request)) {}
  [[nodiscard]] std::size_t write(CodecState& state, std::span<std::byte> to) const override;
  [[nodiscard]] Answer read(CodecState& state, std::span<const std::byte>& bytes) const override;
  [[nodiscard]] Answer end(CodecState& state) const override;

 private:
  enum Step : std::uint8_t { head, fixed, chunk_size, chunk_data, chunk_end, trailer, until_end };

  [[nodiscard]] Answer read_head(CodecState& state, std::span<const std::byte>& bytes) const;
  [[nodiscard]] bool take_head(CodecState& state, std::string_view text) const;
  [[nodiscard]] Answer read_chunks(CodecState& state, std::span<const std::byte>& bytes) const;
  [[nodiscard]] static Answer finished(CodecState& state);
  std::string request_;
};

}  // namespace penstock::load
