// Session: a real OpenSSL client and the engine, with two wires between them that the fuzzer
// delays, splits, flips, pads and cuts. Whatever happens, what comes out is a beginning of what
// went in; it is all of it where close_notify was understood; and nobody waits for what is there.
#pragma once

#include <string>

#include "input.h"
#include "tls_checked_server.h"
#include "tls_wire.h"

namespace penstock::fuzz {

struct SessionOptions {
  tls::test::ClientOptions client;
  bool changes_keys = false;  ///< TLS 1.3: the client may ask for new keys
};

class Session {
 public:
  Session(tls::Context& context, const SessionOptions& options)
      : options_(options), client_(options.client), server_(context) {}

  /// One thing happens, as the input says.
  void act(Input& input);
  /// Now everything moves on as far as it can, and what must hold then is checked.
  void finish();
  /// How it went, for the fuzzer to tell runs apart.
  [[nodiscard]] std::string summary();

 private:
  [[nodiscard]] bool client_goes_on() const { return client_.error().empty() && !client_stuck_; }
  void step_client();
  void write_client(std::size_t size);
  void close_client();
  void change_keys(bool both);
  void renegotiate();
  void step_server(std::size_t room);
  void write_server(std::size_t size);
  void collect();
  void deliver_up(std::size_t most);
  void deliver_down(std::size_t most) { client_.deliver(down_.take(most)); }
  /// A measure of everything that has moved so far.
  [[nodiscard]] std::size_t moved() const;
  void settle();
  void check_end();

  SessionOptions options_;
  tls::test::Client client_;
  CheckedServer server_;
  Wire up_;
  Wire down_;
  std::string told_;       // summary(), for a failed assertion
  std::size_t moved_ = 0;  // bytes put on either wire
  std::size_t client_sent_ = 0;
  std::size_t server_sent_ = 0;
  bool client_done_ = false;
  bool client_closing_ = false;
  bool client_stuck_ = false;  // in a renegotiation, which the engine refuses
  bool server_closed_ = false;
};

}  // namespace penstock::fuzz
