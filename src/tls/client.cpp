// What only a client's connection does: it names its server, offers a session and keeps the one it
// is given, and counts its ClientHellos.
#include "penstock/tls/client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "client_callbacks.h"
#include "context_parts.h"
#include "engine_parts.h"
#include "penstock/base/assert.h"
#include "session_parts.h"

namespace penstock::tls {
namespace {

constexpr std::size_t longest_dotted_name = 253;  // RFC 1035, 2.3.4: 255 bytes on the wire

struct Address {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::size_t size = 0;  ///< 0: not an address
};

Address parse_address(const std::string& text) {
  Address address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.size = sizeof(in_addr);
  } else if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) {
    address.size = sizeof(in6_addr);
  }
  return address;
}

bool may_be_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= longest_dotted_name &&
         std::ranges::all_of(text, may_be_in_name);
}

/// False: OpenSSL's queue says why.
bool set_host(SSL* ssl, std::string& name, bool verify) {
  // OpenSSL's macro for this has a C cast.
  if (SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) != 1) {
    return false;
  }
  if (!verify) return true;
  SSL_set_hostflags(ssl,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return SSL_set1_host(ssl, name.c_str()) == 1;
}

bool set_address(SSL* ssl, const Address& address, bool verify) {
  return !verify ||
         X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), address.bytes.data(), address.size) == 1;
}

/// Gives `ssl` a copy of its own, see Session::Parts::session. False: OpenSSL's queue says why.
bool offer(SSL* ssl, const SSL_SESSION* session) {
  const SessionPtr copy(SSL_SESSION_dup(session));
  return copy != nullptr && SSL_set_session(ssl, copy.get()) == 1;
}

/// Counts ClientHellos; the last argument is where.
void note_message(int sent, int /*version*/, int type, const void* data, std::size_t size,
                  SSL* /*ssl*/, void* hellos) {
  const bool is_hello = sent == 1 && type == SSL3_RT_HANDSHAKE && size > 0 &&
                        *static_cast<const unsigned char*>(data) == SSL3_MT_CLIENT_HELLO;
  if (is_hello) ++*static_cast<unsigned*>(hellos);
}

std::unexpected<Error> fail_to_begin() {
  return fail("cannot begin a TLS connection: " + take_reason());
}

}  // namespace

Session::Session() noexcept = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

int keep_session(SSL* ssl, SSL_SESSION* session) {
  ClientParts* client = static_cast<HandshakeNotes*>(SSL_get_app_data(ssl))->client;
  PENSTOCK_ASSERT(client != nullptr);
  // Without memory there is no session, and nothing is wrong with the connection.
  ERR_set_mark();
  client->received.reset(SSL_SESSION_dup(session));
  ERR_pop_to_mark();
  return 0;  // OpenSSL keeps its reference
}

Result<std::unique_ptr<Engine>> Engine::create_client(Context& context,
                                                      const ClientConnect& connect) {
  PENSTOCK_ASSERT(context.parts_->client != nullptr);
  const std::string& trust = context.parts_->trust;
  const bool verify = !trust.empty();
  std::string name = connect.server_name;
  const Address address = parse_address(name);
  if (address.size == 0 && name.ends_with('.')) name.pop_back();  // RFC 6066, 3: without the dot
  const bool named = !connect.server_name.empty();
  if (!named && verify) return fail("a TLS server cannot be verified without its name");
  if (named && address.size == 0 && !is_host_name(name)) {
    return fail(
        fmt::format("the server name \"{}\" is neither an IP address nor a host name in ASCII",
                    connect.server_name));
  }

  auto created = Parts::create(context.parts_->client.get());
  if (!created) return std::unexpected(std::move(created.error()));
  Parts& parts = **created;
  SSL* ssl = parts.ssl.get();
  parts.client = std::make_unique<ClientParts>();
  if (verify) parts.client->scope = trust + name;
  parts.notes.client = parts.client.get();
  bool set = true;
  SSL_set_msg_callback(ssl, note_message);
  SSL_set_msg_callback_arg(ssl, &parts.client->hellos);
  SSL_set_connect_state(ssl);
  if (address.size > 0) {
    set = set && set_address(ssl, address, verify);
  } else if (named) {
    set = set && set_host(ssl, name, verify);
  }
  const auto* session = connect.session != nullptr ? connect.session->parts_.get() : nullptr;
  if (session != nullptr && (!verify || session->scope == parts.client->scope)) {
    set = set && offer(ssl, session->session.get());
  }
  if (!set) return fail_to_begin();
  return std::unique_ptr<Engine>(new Engine(std::move(*created)));
}

Session Engine::take_session() {
  Session taken;
  if (parts_->client == nullptr) return taken;
  SessionPtr received = std::move(parts_->client->received);
  // RFC 5246, 7.2.2: after a fatal alert a session must not be resumed.
  if (received == nullptr || parts_->ended == Status::failed) return taken;
  taken.parts_ = std::make_unique<Session::Parts>(std::move(received), parts_->client->scope);
  return taken;
}

}  // namespace penstock::tls
