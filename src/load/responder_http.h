// HttpResponder: a server of HTTP/1.1 with one answer to everything (RFC 9112). It reads heads and
// passes over bodies that have a length. Answers come in the order of the requests; those that
// close, and the one to what is no request, are the last.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "responder.h"

namespace penstock::load {

class HttpResponder final : public Responder {
 public:
  using Responder::Responder;
  [[nodiscard]] std::size_t produce(std::span<std::byte> to) override;
  void consume(std::span<const std::byte> bytes) override;
  void ended() override;

 private:
  enum class Status : std::uint8_t { ok, bad_request };
  struct Answer {
    Status status = Status::ok;
    bool with_body = true;
    bool last = false;
  };

  void read_head(std::span<const std::byte>& bytes);
  [[nodiscard]] bool take_head(std::string_view text, Answer& answer);
  void take_request(std::string_view text);
  void skip_body(std::span<const std::byte>& bytes);
  void answer_request();
  void refuse();
  [[nodiscard]] std::string head_of(const Answer& answer) const;
  [[nodiscard]] std::size_t write_answer(std::span<std::byte> to);

  std::deque<Answer> answers_;  // that are owed, the one that is being written first
  std::string head_;            // of that one, what is left of it
  std::uint64_t body_left_ = 0;
  bool writing_ = false;
  bool last_ = false;          // requests are not read any more
  std::string request_;        // a head that has come in part
  Answer next_{};              // of the request whose body is coming
  std::uint64_t to_skip_ = 0;  // of a request's body
};

}  // namespace penstock::load
