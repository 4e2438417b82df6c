// A parser that is handed an answer in any pieces.
#include "codec_http.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "http_text.h"

namespace penstock::load {
namespace {

constexpr std::size_t longest_head = 65536;
constexpr std::size_t longest_line = 4096;
constexpr Answer more{.state = Answer::State::more};
constexpr Answer bad{.state = Answer::State::failed, .error = ErrorClass::bad_response};

}  // namespace

std::size_t CodecHttp::write(CodecState& state, std::span<std::byte> to) const {
  if (state.request_left == 0) state.request_left = request_.size();
  const std::size_t from = request_.size() - state.request_left;
  const std::size_t size = std::min(state.request_left, to.size());
  std::memcpy(to.data(), request_.data() + from, size);
  state.request_left -= size;
  return size;
}

Answer CodecHttp::finished(CodecState& state) {
  state.step = head;
  if (state.status >= 400)
    return {.state = Answer::State::failed, .error = ErrorClass::http_status};
  return {.state = Answer::State::done};
}

Answer CodecHttp::read(CodecState& state, std::span<const std::byte>& bytes) const {
  while (!bytes.empty()) {
    if (state.step == head) {
      const Answer answer = read_head(state, bytes);
      if (answer.state != Answer::State::more || bytes.empty()) return answer;
      continue;
    }
    if (state.step == fixed || state.step == until_end) {
      const std::size_t size = std::min(state.answer_left, bytes.size());
      bytes = bytes.subspan(size);
      state.answer_left -= size;
      return state.answer_left == 0 && state.step == fixed ? finished(state) : more;
    }
    const Answer answer = read_chunks(state, bytes);
    if (answer.state != Answer::State::more) return answer;
  }
  return more;
}

Answer CodecHttp::read_head(CodecState& state, std::span<const std::byte>& bytes) const {
  constexpr std::string_view end = "\r\n\r\n";
  const std::string_view text = text_of(bytes);
  if (state.header.empty()) {
    const std::size_t at = text.find(end);
    if (at != std::string_view::npos) {  // whole, as it mostly is
      bytes = bytes.subspan(at + end.size());
      if (!take_head(state, text.substr(0, at))) return bad;
      return state.step == fixed && state.answer_left == 0 ? finished(state) : more;
    }
  }
  const std::size_t before = state.header.size();
  state.header += text;
  const std::size_t at = state.header.find(end, before < 3 ? 0 : before - 3);
  if (at == std::string::npos) {
    bytes = {};
    return state.header.size() > longest_head ? bad : more;
  }
  bytes = bytes.subspan(at + end.size() - before);
  const std::string whole = state.header.substr(0, at);
  state.header.clear();
  if (!take_head(state, whole)) return bad;
  return state.step == fixed && state.answer_left == 0 ? finished(state) : more;
}

/// False when it is no HTTP/1 answer. Sets the step that comes next.
bool CodecHttp::take_head(CodecState& state, std::string_view text) const {
  constexpr std::string_view version = "HTTP/1.";
  const std::size_t line_end = std::min(text.find("\r\n"), text.size());
  std::string_view line = text.substr(0, line_end);
  if (!line.starts_with(version) || line.size() < 12 || line[8] != ' ') return false;
  if (!read_number(line.substr(9, 3), state.status, 10)) return false;
  state.last = line[7] == '0';
  bool chunked = false;
  bool sized = false;
  text.remove_prefix(line_end);
  while (text.size() > 2) {
    text.remove_prefix(2);
    line = text.substr(0, text.find("\r\n"));
    text.remove_prefix(line.size());
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (same_name(name, "content-length")) {
      sized = true;
      if (!read_number(value, state.answer_left, 10)) return false;
    } else if (same_name(name, "transfer-encoding")) {
      chunked = same_name(value, "chunked");
      if (!chunked) return false;
    } else if (same_name(name, "connection")) {
      state.last = same_name(value, "close") || (state.last && !same_name(value, "keep-alive"));
    }
  }
  const bool bodiless = state.status == 204 || state.status == 304;
  const bool interim = state.status >= 100 && state.status < 200;
  state.step = interim ? head : chunked ? chunk_size : sized || bodiless ? fixed : until_end;
  if (bodiless) state.answer_left = 0;
  if (state.step == until_end) {
    state.answer_left = CodecState::unknown_length;
    state.last = true;
  }
  return true;
}

Answer CodecHttp::read_chunks(CodecState& state, std::span<const std::byte>& bytes) const {
  if (state.step == chunk_data) {
    const std::size_t size = std::min(state.answer_left, bytes.size());
    bytes = bytes.subspan(size);
    state.answer_left -= size;
    if (state.answer_left == 0) state.step = chunk_end;
    return more;
  }
  // The other steps end with a line.
  const std::string_view text = text_of(bytes);
  const std::size_t at = text.find('\n');
  const std::size_t size = at == std::string_view::npos ? text.size() : at + 1;
  state.header += text.substr(0, size);
  bytes = bytes.subspan(size);
  if (state.header.size() > longest_line) return bad;
  if (at == std::string_view::npos) return more;
  std::string line = std::exchange(state.header, {});
  if (!line.ends_with("\r\n")) return bad;
  line.resize(line.size() - 2);
  switch (state.step) {
    case chunk_size:
      if (!read_number(trimmed(std::string_view(line).substr(0, line.find(';'))), state.answer_left,
                       16)) {
        return bad;
      }
      state.step = state.answer_left == 0 ? trailer : chunk_data;
      return more;
    case chunk_end:
      state.step = chunk_size;
      return line.empty() ? more : bad;
    default:
      return line.empty() ? finished(state) : more;
  }
}

Answer CodecHttp::end(CodecState& state) const {
  return state.step == until_end ? finished(state) : more;
}

}  // namespace penstock::load
