// Pattern out, pattern in.
#include "codec_rr.h"

#include <fmt/format.h>

#include <algorithm>

#include "preface.h"

namespace penstock::load {

std::size_t CodecRr::write(CodecState& state, std::span<std::byte> to) const {
  std::size_t written = 0;
  if (!echoed() && !state.introduced) {
    if (to.size() <= Preface::size) return 0;
    const Preface preface{.purpose = Purpose::rr,
                          .key = {state.key},
                          .request_size = static_cast<std::uint32_t>(options_.request_size),
                          .answer_size = static_cast<std::uint32_t>(options_.answer_size)};
    std::ranges::copy(preface.encode(), to.begin());
    written = Preface::size;
    state.introduced = true;
  }
  if (state.request_left == 0) state.request_left = options_.request_size;
  const auto part = to.subspan(written, std::min(state.request_left, to.size() - written));
  fill_pattern({state.key}, state.sent, part);
  state.sent += part.size();
  state.request_left -= part.size();
  return written + part.size();
}

Answer CodecRr::read(CodecState& state, std::span<const std::byte>& bytes) const {
  if (state.answer_left == 0) state.answer_left = options_.answer_size;
  const auto part = bytes.first(std::min(state.answer_left, bytes.size()));
  const StreamKey key = echoed() ? StreamKey{state.key} : answer_key({state.key});
  std::optional<std::size_t> wrong;
  if (options_.verify) wrong = check_pattern(key, state.checked, part);
  if (wrong) {
    state.damage =
        fmt::format("from byte {} of the stream on, {}", state.checked + *wrong,
                    damage_text(diagnose(key, state.checked + *wrong, bytes.subspan(*wrong))));
  }
  state.checked += part.size();
  state.answer_left -= part.size();
  bytes = bytes.subspan(part.size());
  if (wrong) return {.state = Answer::State::failed, .error = ErrorClass::corrupt};
  return {.state = state.answer_left == 0 ? Answer::State::done : Answer::State::more};
}

}  // namespace penstock::load
