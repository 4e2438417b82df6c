// Lengths lie: every read is checked against what is left of the part that it belongs to, and a
// part has to be used up. What OpenSSL would refuse in the parts that routes go by is refused here,
// too; the rest of the message is the business of whoever ends the connection.
#include "penstock/tls/client_hello.h"

#include <algorithm>
#include <optional>
#include <set>

namespace penstock::tls {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t record_header = 5;
constexpr std::size_t message_header = 4;
constexpr std::size_t largest_record = 16384;
constexpr std::byte handshake_record{22};
constexpr std::byte client_hello_message{1};
constexpr std::size_t random_bytes = 32;
constexpr std::size_t longest_session_id = 32;
constexpr std::size_t longest_host_name = 255;

enum class Extension : std::uint16_t { server_name = 0, protocols = 16, versions = 43 };

std::size_t number(Bytes bytes) noexcept {
  std::size_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::size_t>(byte);
  return value;
}

/// What is left of a part of the message.
class Part {
 public:
  explicit Part(Bytes bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::optional<Bytes> take(std::size_t size) noexcept {
    if (size > bytes_.size()) return std::nullopt;
    const Bytes taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  [[nodiscard]] std::optional<std::size_t> take_number(std::size_t size) noexcept {
    const auto taken = take(size);
    if (!taken) return std::nullopt;
    return number(*taken);
  }
  /// A part behind its length, which takes `length_size` bytes.
  [[nodiscard]] std::optional<Bytes> take_part(std::size_t length_size) noexcept {
    const auto length = take_number(length_size);
    return length ? take(*length) : std::nullopt;
  }

 private:
  Bytes bytes_;
};

std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Empty when all is well; else what is wrong.
using Problem = std::string_view;

Problem read_server_name(Bytes extension, ClientHello& hello) {
  Part whole(extension);
  const auto list = whole.take_part(2);
  if (!list || !whole.empty()) return "the server name's list has a wrong length";
  Part names(*list);
  const auto type = names.take_number(1);
  const auto name = names.take_part(2);
  // RFC 6066 allows no second name of a type, and there is one type.
  if (!type || *type != 0 || !name || !names.empty()) return "the server name's list is no list";
  if (name->empty() || name->size() > longest_host_name)
    return "the server name has a wrong length";
  hello.server_name = text_of(*name);
  for (char& c : hello.server_name) {
    if (c <= ' ' || c > '~') return "the server name is not printable ASCII";
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  if (hello.server_name.ends_with('.')) hello.server_name.pop_back();
  return {};
}

Problem read_protocols(Bytes extension, ClientHello& hello) {
  Part whole(extension);
  const auto list = whole.take_part(2);
  if (!list || list->empty() || !whole.empty()) return "the list of protocols has a wrong length";
  for (Part names(*list); !names.empty();) {
    const auto name = names.take_part(1);
    if (!name || name->empty()) return "a protocol's name is empty or cut off";
    hello.protocols.push_back(text_of(*name));
  }
  return {};
}

Problem read_versions(Bytes extension, ClientHello& hello) {
  Part whole(extension);
  const auto list = whole.take_part(1);
  if (!list || list->empty() || !whole.empty()) return "the list of versions has a wrong length";
  std::uint16_t highest = 0;
  for (Part versions(*list); !versions.empty();) {
    const auto version = versions.take_number(2);
    if (!version) return "a version is cut off";
    // GREASE (RFC 8701) has the form 0x?A?A.
    if (*version >> 8 == 3) highest = std::max(highest, static_cast<std::uint16_t>(*version));
  }
  if (highest != 0) hello.version = highest;
  return {};
}

Problem read_extensions(Bytes bytes, ClientHello& hello) {
  std::set<std::size_t> seen;
  for (Part extensions(bytes); !extensions.empty();) {
    const auto type = extensions.take_number(2);
    const auto extension = extensions.take_part(2);
    if (!type || !extension) return "an extension is cut off";
    if (!seen.insert(*type).second) return "an extension comes twice";
    Problem problem;
    switch (static_cast<Extension>(*type)) {
      case Extension::server_name:
        problem = read_server_name(*extension, hello);
        break;
      case Extension::protocols:
        problem = read_protocols(*extension, hello);
        break;
      case Extension::versions:
        problem = read_versions(*extension, hello);
        break;
      default:
        break;
    }
    if (!problem.empty()) return problem;
  }
  return {};
}

Problem read_body(Bytes body, ClientHello& hello) {
  Part part(body);
  const auto version = part.take_number(2);
  if (!version || *version >> 8 != 3) return "it is of no version of TLS";
  hello.version = static_cast<std::uint16_t>(*version);
  if (!part.take(random_bytes)) return "it is cut off in its random bytes";
  const auto session = part.take_part(1);
  if (!session || session->size() > longest_session_id) return "its session id is no such thing";
  const auto suites = part.take_part(2);
  if (!suites || suites->size() < 2 || suites->size() % 2 != 0)
    return "its cipher suites are no list";
  const auto compressions = part.take_part(1);
  if (!compressions || compressions->empty()) return "its compression methods are no list";
  if (part.empty()) return {};  // TLS 1.2 without extensions
  const auto extensions = part.take_part(2);
  if (!extensions || !part.empty()) return "its extensions have a wrong length";
  return read_extensions(*extensions, hello);
}

}  // namespace

ClientHelloReader::Status ClientHelloReader::read(Bytes bytes) {
  while (status_ == Status::incomplete && !bytes.empty()) {
    const std::size_t wanted = record_left_ > 0 ? record_left_ : record_header - header_.size();
    const Bytes piece = bytes.first(std::min(wanted, bytes.size()));
    bytes = bytes.subspan(piece.size());
    total_ += piece.size();
    if (record_left_ > 0) {
      message_.insert(message_.end(), piece.begin(), piece.end());
      record_left_ -= piece.size();
      if (record_left_ == 0) header_.clear();
      status_ = take_message();
    } else {
      header_.insert(header_.end(), piece.begin(), piece.end());
      status_ = take_header();
    }
    if (status_ == Status::incomplete && total_ >= most_bytes) status_ = Status::too_long;
  }
  return status_;
}

ClientHelloReader::Status ClientHelloReader::take_header() {
  const Bytes header = header_;
  if (header.front() != handshake_record) {
    return message_.empty() ? Status::not_tls : refuse("another record comes in between");
  }
  if (header.size() > 1 && header[1] != std::byte{3})
    return message_.empty() ? Status::not_tls : refuse("a record is of another version");
  if (header.size() < record_header) return Status::incomplete;
  record_left_ = number(header.subspan(3, 2));
  if (record_left_ == 0) return refuse("a record is empty");
  if (record_left_ > largest_record) return refuse("a record is longer than records can be");
  return Status::incomplete;
}

ClientHelloReader::Status ClientHelloReader::take_message() {
  const Bytes message = message_;
  if (message.front() != client_hello_message) return refuse("it is another message");
  if (message.size() < message_header) return Status::incomplete;
  const std::size_t size = number(message.subspan(1, 3));
  if (size > most_bytes - record_header - message_header) return Status::too_long;
  if (message.size() < message_header + size) return Status::incomplete;
  problem_ = read_body(message.subspan(message_header, size), hello_);
  return problem_.empty() ? Status::complete : Status::malformed;
}

ClientHelloReader::Status ClientHelloReader::refuse(std::string_view problem) noexcept {
  problem_ = problem;
  return Status::malformed;
}

}  // namespace penstock::tls
