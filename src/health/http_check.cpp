// Writes the request of an HTTP check and reads the status line of its answer. A position in the
// line decides which characters may stand there, so that a partial answer is judged as far as it
// goes.
#include "penstock/health/http_check.h"

#include <fmt/format.h>

namespace penstock::health {
namespace {

constexpr std::string_view shape = "HTTP/1.d ddd";  // d: a digit

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool fits(char c, std::size_t position) noexcept {
  if (position == shape.size()) return c == ' ' || c == '\r' || c == '\n';
  return shape[position] == 'd' ? is_digit(c) : c == shape[position];
}

StatusLine parse_first(std::string_view answer) noexcept {
  for (std::size_t i = 0; i < answer.size() && i <= shape.size(); ++i) {
    if (!fits(answer[i], i)) return {StatusLine::State::malformed, 0};
  }
  if (answer.find('\n') == std::string_view::npos) return {StatusLine::State::incomplete, 0};
  int status = 0;
  for (const char c : answer.substr(shape.size() - 3, 3)) status = status * 10 + (c - '0');
  if (status < 100) return {StatusLine::State::malformed, 0};
  return {StatusLine::State::complete, status};
}

// How long the head is that `answer` begins with, its empty line included; 0 when it has not ended
// yet.
std::size_t head_length(std::string_view answer) noexcept {
  std::size_t line = 0;
  for (;;) {
    const std::size_t end = answer.find('\n', line);
    if (end == std::string_view::npos) return 0;
    const std::string_view text = answer.substr(line, end - line);
    if (text.empty() || text == "\r") return end + 1;
    line = end + 1;
  }
}

bool is_interim(int status) noexcept { return status < 200 && status != 101; }

}  // namespace

std::string http_request(const config::Health& health, const Endpoint& backend) {
  const std::string host = !health.host.empty() ? health.host
                           : backend.is_unix()  ? std::string("localhost")
                                                : backend.to_string();
  return fmt::format(
      "GET {} HTTP/1.1\r\n"
      "Host: {}\r\n"
      "User-Agent: penstock-health\r\n"
      "Connection: close\r\n"
      "\r\n",
      health.path, host);
}

bool expected(const config::Health& health, int status) noexcept {
  for (const config::StatusRange& range : health.expect) {
    if (status >= range.first && status <= range.last) return true;
  }
  return false;
}

StatusLine parse_status_line(std::string_view answer) noexcept {
  answer = answer.substr(0, answer_limit);  // the verdict must not change with what follows
  const bool full = answer.size() == answer_limit;
  const StatusLine unfinished{full ? StatusLine::State::malformed : StatusLine::State::incomplete,
                              0};
  for (;;) {
    const StatusLine line = parse_first(answer);
    if (line.state == StatusLine::State::incomplete) return unfinished;
    if (line.state == StatusLine::State::malformed || !is_interim(line.status)) return line;
    const std::size_t interim = head_length(answer);
    if (interim == 0) return unfinished;
    answer.remove_prefix(interim);
  }
}

}  // namespace penstock::health
