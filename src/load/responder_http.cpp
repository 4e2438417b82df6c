// Heads in, answers out.
#include "responder_http.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "http_text.h"

namespace penstock::load {
namespace {

constexpr std::size_t longest_head = 65536;
/// Answers that a client may leave unread before its requests are not read any more.
constexpr std::size_t most_owed_answers = 256;
constexpr std::byte body_byte{'x'};

/// "GET / HTTP/1.1": false for what is no such line.
bool read_request_line(std::string_view line, std::string_view& method, bool& old) {
  constexpr std::string_view version = "HTTP/1.";
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last < first + 2) return false;
  method = line.substr(0, first);
  const bool letters = std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; });
  line.remove_prefix(last + 1);
  if (!letters || line.size() != version.size() + 1 || !line.starts_with(version)) return false;
  old = line.back() == '0';
  return old || line.back() == '1';
}

}  // namespace

void HttpResponder::consume(std::span<const std::byte> bytes) {
  while (!bytes.empty() && !last_) {
    to_skip_ > 0 ? skip_body(bytes) : read_head(bytes);
  }
  if (answers_.size() >= most_owed_answers) peer.connection.want_input(false);
}

void HttpResponder::skip_body(std::span<const std::byte>& bytes) {
  const std::uint64_t skipped = std::min<std::uint64_t>(to_skip_, bytes.size());
  bytes = bytes.subspan(skipped);
  to_skip_ -= skipped;
  if (to_skip_ == 0) answer_request();
}

void HttpResponder::read_head(std::span<const std::byte>& bytes) {
  constexpr std::string_view end = "\r\n\r\n";
  const std::string_view text = text_of(bytes);
  const std::size_t whole = request_.empty() ? text.find(end) : std::string_view::npos;
  if (whole != std::string_view::npos) {  // as it mostly is
    bytes = bytes.subspan(whole + end.size());
    return take_request(text.substr(0, whole));
  }
  const std::size_t before = request_.size();
  request_ += text;
  const std::size_t at = request_.find(end, before < 3 ? 0 : before - 3);
  if (at == std::string::npos) {
    bytes = {};
    if (request_.size() > longest_head) refuse();
    return;
  }
  bytes = bytes.subspan(at + end.size() - before);
  const std::string head = request_.substr(0, at);
  request_.clear();
  take_request(head);
}

void HttpResponder::take_request(std::string_view text) {
  next_ = {};
  if (!take_head(text, next_)) return refuse();
  if (to_skip_ == 0) answer_request();
}

/// The request is whole.
void HttpResponder::answer_request() {
  peer.around.count.requests.add();
  last_ = next_.last;
  answers_.push_back(next_);
}

/// False when it is no request that can be answered.
bool HttpResponder::take_head(std::string_view text, Answer& answer) {
  std::string_view line = text.substr(0, text.find("\r\n"));
  std::string_view method;
  if (!read_request_line(line, method, answer.last)) return false;
  answer.with_body = method != "HEAD";
  text.remove_prefix(line.size());
  while (text.size() > 2) {
    text.remove_prefix(2);
    line = text.substr(0, text.find("\r\n"));
    text.remove_prefix(line.size());
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (same_name(name, "content-length")) {
      if (!read_number(value, to_skip_, 10)) return false;
    } else if (same_name(name, "transfer-encoding")) {
      return false;  // a body without a length
    } else if (same_name(name, "connection")) {
      answer.last = answer.last || same_name(value, "close");
    }
  }
  return true;
}

void HttpResponder::refuse() {
  peer.around.count.bad_requests.add();
  request_.clear();
  last_ = true;
  answers_.push_back({.status = Status::bad_request, .last = true});
}

std::string HttpResponder::head_of(const Answer& answer) const {
  const bool good = answer.status == Status::ok;
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}\r\n",
                     good ? "200 OK" : "400 Bad Request", good ? peer.around.options.body_size : 0,
                     answer.last ? "Connection: close\r\n" : "");
}

std::size_t HttpResponder::produce(std::span<std::byte> to) {
  std::size_t written = 0;
  while (!answers_.empty() && written < to.size()) written += write_answer(to.subspan(written));
  if (answers_.size() < most_owed_answers) peer.connection.want_input(true);
  if (answers_.empty() && (last_ || peer.ended)) peer.finish();
  return written;
}

/// As much of the first answer as fits; an answer that is out leaves the queue.
std::size_t HttpResponder::write_answer(std::span<std::byte> to) {
  const Answer& answer = answers_.front();
  if (!std::exchange(writing_, true)) {
    head_ = head_of(answer);
    const bool body = answer.with_body && answer.status == Status::ok;
    body_left_ = body ? peer.around.options.body_size : 0;
  }
  const std::size_t head = std::min(head_.size(), to.size());
  std::memcpy(to.data(), head_.data(), head);
  head_.erase(0, head);
  to = to.subspan(head);
  const std::size_t body = std::min<std::uint64_t>(body_left_, to.size());
  std::ranges::fill(to.first(body), body_byte);
  body_left_ -= body;
  if (head_.empty() && body_left_ == 0) {
    writing_ = false;
    answers_.pop_front();
  }
  return head + body;
}

void HttpResponder::ended() {
  if (answers_.empty()) peer.finish();
}

}  // namespace penstock::load
