// A TLS client over OpenSSL's memory BIOs, and the server's side of the wire with windows of any
// size: what two back-to-back engines need in tests. Tests may use OpenSSL directly.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "penstock/tls/engine.h"
#include "tls_files.h"

namespace penstock::tls::test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(generator());
  return bytes;
}

struct ClientOptions {
  int version = TLS1_3_VERSION;  ///< the only one it speaks
  std::string server_name = {};
  std::string alpn = {};       ///< as the extension has it: "\x02h2"
  std::string trust_pem = {};  ///< not empty: verify the server's certificate against this one
  SSL_SESSION* session = nullptr;
  std::string groups = {};
};

class Client {
 public:
  explicit Client(const ClientOptions& options = {})
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        ssl_(nullptr, SSL_free),
        session_(nullptr, SSL_SESSION_free) {
    SSL_CTX_set_min_proto_version(context_.get(), options.version);
    SSL_CTX_set_max_proto_version(context_.get(), options.version);
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT);
    if (!options.trust_pem.empty()) trust(options.trust_pem);
    ssl_.reset(SSL_new(context_.get()));
    require_openssl(ssl_ != nullptr);
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl_.get(), in, out);
    SSL_set_connect_state(ssl_.get());
    if (!options.server_name.empty()) {
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(options.server_name.c_str()));
    }
    if (!options.alpn.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(options.alpn.data()),
                          static_cast<unsigned>(options.alpn.size()));
    }
    if (!options.groups.empty()) {
      require_openssl(SSL_set1_groups_list(ssl_.get(), options.groups.c_str()) == 1);
    }
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
  }

  [[nodiscard]] SSL* ssl() { return ssl_.get(); }

  /// True once the handshake is complete; `error()` says why it failed.
  bool handshake() {
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_.get());
    note(outcome);
    return outcome == 1;
  }
  void write(std::span<const std::byte> plaintext) {
    ERR_clear_error();
    std::size_t put = 0;
    const int outcome = SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &put);
    note(outcome);
    require_openssl(outcome == 1 && put == plaintext.size());
  }
  /// Appends all plaintext there is to `received`.
  void read() {
    Bytes buffer(std::size_t{32} * 1024);
    std::size_t got = 0;
    for (;;) {
      ERR_clear_error();
      const int outcome = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &got);
      if (outcome != 1) return note(outcome);
      received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<long>(got));
    }
  }
  void close_notify() { SSL_shutdown(ssl_.get()); }

  void deliver(std::span<const std::byte> ciphertext) {
    if (ciphertext.empty()) return;
    require_openssl(BIO_write(SSL_get_rbio(ssl_.get()), ciphertext.data(),
                              static_cast<int>(ciphertext.size())) ==
                    static_cast<int>(ciphertext.size()));
  }
  /// The ciphertext for the server since the last call.
  [[nodiscard]] Bytes take() {
    BIO* out = SSL_get_wbio(ssl_.get());
    Bytes ciphertext(BIO_ctrl_pending(out));
    if (!ciphertext.empty()) BIO_read(out, ciphertext.data(), static_cast<int>(ciphertext.size()));
    return ciphertext;
  }

  [[nodiscard]] std::string server_subject() {
    X509* certificate = SSL_get1_peer_certificate(ssl_.get());
    if (certificate == nullptr) return "";
    char* text = X509_NAME_oneline(X509_get_subject_name(certificate), nullptr, 0);
    std::string subject = text;
    OPENSSL_free(text);
    X509_free(certificate);
    return subject;
  }
  [[nodiscard]] std::string protocol() {
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &data, &size);
    return data == nullptr ? "" : std::string(reinterpret_cast<const char*>(data), size);
  }
  [[nodiscard]] SSL_SESSION* session() {
    session_.reset(SSL_get1_session(ssl_.get()));
    return session_.get();
  }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] bool closed() const { return closed_; }

  Bytes received;

 private:
  void trust(const std::string& pem) {
    BIO* memory = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* certificate = PEM_read_bio_X509(memory, nullptr, nullptr, nullptr);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), certificate);
    X509_free(certificate);
    BIO_free(memory);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  }
  void note(int outcome) {
    if (outcome == 1) return;
    const int error = SSL_get_error(ssl_.get(), outcome);
    if (error == SSL_ERROR_ZERO_RETURN) closed_ = true;
    if (error != SSL_ERROR_SSL || !error_.empty()) return;
    const char* text = ERR_reason_error_string(ERR_peek_error());
    error_ = text != nullptr ? text : "unknown";
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session_;
  std::string error_;
  bool closed_ = false;
};

/// The engine under test between two wires; each call shows it at most `input_limit` and
/// `output_limit` bytes of them.
class EngineSide {
 public:
  explicit EngineSide(std::unique_ptr<Engine> of) : engine(std::move(of)) {}

  Status handshake() {
    return call([&](Window& window) { return engine->handshake(window); });
  }
  /// Reads once, into room for `room` bytes; the plaintext goes to `received`.
  Outcome read(std::size_t room = 65536) {
    Bytes buffer(room);
    const Outcome outcome = call([&](Window& window) { return engine->read(window, buffer); });
    received.insert(received.end(), buffer.begin(),
                    buffer.begin() + static_cast<long>(outcome.bytes));
    return outcome;
  }
  Outcome write(std::span<const std::byte> plaintext) {
    return call([&](Window& window) { return engine->write(window, plaintext); });
  }
  Status close_notify() {
    return call([&](Window& window) { return engine->close_notify(window); });
  }

  void deliver(std::span<const std::byte> ciphertext) {
    input.erase(input.begin(), input.begin() + static_cast<long>(consumed));
    consumed = 0;
    input.insert(input.end(), ciphertext.begin(), ciphertext.end());
  }
  [[nodiscard]] Bytes take() { return std::exchange(output, {}); }
  [[nodiscard]] bool input_left() const { return consumed < input.size(); }

  std::unique_ptr<Engine> engine;
  Bytes input;
  std::size_t consumed = 0;
  bool ended = false;  ///< the peer's FIN follows `input`
  Bytes output;
  Bytes received;
  std::size_t input_limit = 65536;
  std::size_t output_limit = 65536;

 private:
  template <class Function>
  std::invoke_result_t<Function, Window&> call(Function function) {
    const auto rest = std::span<const std::byte>(input).subspan(consumed);
    const auto shown = rest.first(std::min(rest.size(), input_limit));
    Bytes room(output_limit);
    Window window{shown, ended && shown.size() == rest.size(), room};
    const auto outcome = function(window);
    consumed += shown.size() - window.input.size();
    output.insert(output.end(), room.begin(),
                  room.begin() + static_cast<long>(room.size() - window.output.size()));
    return outcome;
  }
  // (Windows and buffers die with each call, so an engine that kept a view of one is found by the
  // address sanitizer.)
};

class Server : public EngineSide {
 public:
  explicit Server(Context& context) : EngineSide(Engine::create_server(context).value()) {}
};

/// Drives both sides until the handshake is done, an end is reached, or nothing moves any more.
inline Status run_handshake(Client& client, Server& server) {
  Status status = Status::want_input;
  bool client_done = false;
  for (int idle = 0; idle < 3;) {
    client_done = client.handshake();
    const Bytes out = client.take();
    server.deliver(out);
    const std::size_t before = server.consumed;
    if (status != Status::ok) status = server.handshake();
    const Bytes back = server.take();
    client.deliver(back);
    if (status == Status::failed || status == Status::truncated) {
      client.handshake();
      return status;
    }
    if (status == Status::ok && client_done && back.empty()) return status;
    idle = out.empty() && back.empty() && server.consumed == before ? idle + 1 : 0;
  }
  return status;
}

inline std::unique_ptr<Context> make_context(ServerOptions options) {
  if (options.certificates.empty()) {
    options.certificates.push_back(Identity::make_self_signed("penstock test", now).value());
  }
  return Context::create_server(options).value();
}

/// A client and a server that have shaken hands.
struct Pair {
  explicit Pair(int version)
      : context(make_context({})), client({.version = version}), server(*context) {
    require_openssl(run_handshake(client, server) == Status::ok);
    client.read();  // the ticket
  }
  void to_server() { server.deliver(client.take()); }
  void to_client() {
    client.deliver(server.take());
    client.read();
  }
  std::unique_ptr<Context> context;
  Client client;
  Server server;
};

}  // namespace penstock::tls::test
