// The options of `penstock-load run` that are about TLS.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "option_values.h"
#include "penstock/base/log.h"
#include "run_command.h"

namespace penstock::load {

void RunCommand::add_tls(CLI::App& command) {
  command.add_flag("--tls", tls_, "speak TLS; https:// and tls:// targets do");
  command.add_option("--ca", ca_, "verify the server against these certificates (PEM)")
      ->option_text("FILE");
  command.add_option("--sni", server_names_, "names to ask for, in turn (the target's host)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("LIST");
  command
      .add_option("--resume", resume_, "share of the connections that resume a session, 0 to 1 (0)")
      ->check(CLI::Range(0.0, 1.0))
      ->option_text("X");
  command.add_option("--certificate", certificate_, "a client certificate to show (PEM chain)")
      ->option_text("FILE");
  command.add_option("--key", key_, "and its key (PEM)")->option_text("FILE");
  command.add_option("--ciphers", ciphers_, "suites of TLS 1.2 and 1.3, by OpenSSL's names")
      ->option_text("LIST");
  command
      .add_option("--sigalgs", signature_algorithms_, "signature algorithms, by OpenSSL's names")
      ->option_text("LIST");
  command.add_option("--tls-version", version_, "1.2 or 1.3 only")->option_text("V");
  command.add_option("--groups", groups_, "key exchange groups, X25519:P-256")->option_text("LIST");
}

/// Suites of TLS 1.3 are a list of their own, and are called TLS_….
void RunCommand::set_ciphers(tls::ClientOptions& options) const {
  std::string_view left = ciphers_;
  while (!left.empty()) {
    const std::string_view name = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(name.size() + 1, left.size()));
    std::string& list =
        name.starts_with("TLS_") ? options.terms.cipher_suites : options.terms.ciphers;
    if (!list.empty()) list += ':';
    list += name;
  }
}

Result<void> RunCommand::set_tls(RunOptions& options) const {
  options.tls.verification = ca_.empty() ? tls::Verification::off : tls::Verification::ca_file;
  options.tls.ca_file = ca_;
  options.tls.terms.groups = groups_;
  options.tls.terms.signature_algorithms = signature_algorithms_;
  set_ciphers(options.tls);
  options.resume_share = resume_;
  if (certificate_.empty() != key_.empty()) {
    return fail("a client certificate needs both --certificate and --key");
  }
  if (!certificate_.empty()) {
    auto identity = tls::Identity::load(certificate_, key_, log::wall_clock());
    if (!identity) return std::unexpected(identity.error().error);
    options.tls.identity = std::move(*identity);
  }
  if (!options.http_request.empty()) options.tls.alpn = {"http/1.1"};
  if (options.secure) options.tls_text = version_.empty() ? "1.2 or 1.3" : version_;
  if (version_.empty()) return {};
  auto set = read_word("--tls-version", version_, {"1.2", "1.3"}, options.tls.terms.min_version);
  options.tls.terms.max_version = options.tls.terms.min_version;
  return set;
}

}  // namespace penstock::load
