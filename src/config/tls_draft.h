// What the readers of listeners.NAME.tls gather before it can be checked as a whole.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drafts.h"

namespace penstock::config {

/// What is asked of clients, as far as one table says so: the listener's, or that of a name, which
/// has the listener's where it says nothing.
struct ClientDraft {
  std::string path;  ///< "listeners.https.tls"
  Place place;
  std::optional<Located<tls::ClientVerification::Mode>> mode;
  std::optional<Located<std::string>> ca;
  std::optional<Located<std::string>> crl;
  std::optional<int> depth;
  std::optional<std::vector<std::string>> names;
};

struct TlsDraft {
  ListenerDraft* listener = nullptr;
  tls::ServerOptions options;
  std::optional<Value> folder;
  bool modern = false;
  std::optional<tls::Version> min_version;
  std::optional<tls::Version> max_version;
  std::optional<Value> max_version_value;
  std::optional<Value> ciphers;  ///< that mean nothing without TLS 1.2
  ClientDraft clients;
  std::map<std::string, ClientDraft> by_name;
};

[[nodiscard]] std::optional<Located<std::string>> read_path(const Value& value);

// tls_certificates.cpp
/// A chain and its key; nullopt: reported.
[[nodiscard]] std::optional<tls::Identity> read_certificate(const Value& value);
void read_certificates(const Value& value, TlsDraft& draft);
void read_folder(const Value& value, TlsDraft& draft);

// tls_clients.cpp
void read_client_auth(const Value& value, ClientDraft& draft);
void read_client_ca(const Value& value, ClientDraft& draft);
void read_client_crl(const Value& value, ClientDraft& draft);
void read_client_depth(const Value& value, ClientDraft& draft);
void read_client_names(const Value& value, ClientDraft& draft);
void read_by_name(const Value& value, TlsDraft& draft);
/// Reads the authorities and enters what is asked of clients.
void finish_clients(TlsDraft& draft, Source& source);

}  // namespace penstock::config
