// A client's engine against a server's, in memory, and certificates that are valid today, since a
// client that verifies looks at the real clock.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "penstock/tls/client.h"
#include "tls_client.h"

namespace penstock::tls::test {

inline constexpr auto both_versions = {Version::tls12, Version::tls13};

/// A certificate with valid dates.
inline TestCertificate issue(CertificateOptions options) {
  const std::time_t today = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  options.not_before = today - one_day;
  options.not_after = today + one_day;
  return make_certificate(options);
}

/// The certificate with its key, as of the first moment at which it is valid.
inline Identity identity_of(const TestCertificate& certificate) {
  const TempFolder folder;
  std::tm first{};
  require_openssl(ASN1_TIME_to_tm(X509_get0_notBefore(certificate.certificate.get()), &first) == 1);
  return Identity::load(folder.file("chain.pem", certificate.pem()),
                        folder.file("key.pem", certificate.key_pem()),
                        std::chrono::system_clock::from_time_t(timegm(&first)))
      .value();
}

inline std::unique_ptr<Context> make_server_context(const TestCertificate& certificate) {
  ServerOptions options;
  options.certificates.push_back(identity_of(certificate));
  return Context::create_server(options).value();
}

/// A client's context that verifies nothing, and speaks one version only.
inline std::unique_ptr<Context> make_client_context(Version version,
                                                    tls::ClientOptions options = {}) {
  options.verification = Verification::off;
  options.terms.min_version = version;
  options.terms.max_version = version;
  return Context::create_client(options).value();
}

class ClientSide : public EngineSide {
 public:
  explicit ClientSide(Context& context, const ClientConnect& connect = {})
      : EngineSide(Engine::create_client(context, connect).value()) {}
};

struct Ends {
  Status client = Status::want_input;
  Status server = Status::want_input;
};

/// Drives both handshakes until nothing moves any more, alerts included.
inline Ends shake(EngineSide& client, EngineSide& server) {
  Ends ends;
  for (int idle = 0; idle < 3;) {
    const std::size_t before = client.consumed + server.consumed;
    if (ends.client != Status::ok) ends.client = client.handshake();
    const Bytes up = client.take();
    const std::size_t at = client.consumed + server.consumed;
    server.deliver(up);
    if (ends.server != Status::ok) ends.server = server.handshake();
    const Bytes down = server.take();
    const bool moved = at != before || !up.empty() || !down.empty();
    client.deliver(down);
    idle = moved ? 0 : idle + 1;
  }
  return ends;
}

/// Lets `side` read until it wants more or has ended.
inline Status read_all(EngineSide& side) {
  for (;;) {
    const std::size_t before = side.consumed + side.received.size();
    const Status status = side.read().status;
    const bool moved = side.consumed + side.received.size() != before;
    if (status == Status::closed || status == Status::failed || status == Status::truncated ||
        !moved) {
      return status;
    }
  }
}

/// Moves what `from` has written to `to` and lets that read.
inline Status pass(EngineSide& from, EngineSide& to) {
  to.deliver(from.take());
  return read_all(to);
}

/// Two engines that have shaken hands; the client has read its ticket.
struct EnginePair {
  explicit EnginePair(Version version)
      : server_context(make_context({})),
        client_context(make_client_context(version)),
        client(*client_context),
        server(*server_context) {
    const Ends ends = shake(client, server);
    require_openssl(ends.client == Status::ok && ends.server == Status::ok);
    require_openssl(read_all(client) == Status::want_input);
  }
  std::unique_ptr<Context> server_context;
  std::unique_ptr<Context> client_context;
  ClientSide client;
  Server server;
};

}  // namespace penstock::tls::test
