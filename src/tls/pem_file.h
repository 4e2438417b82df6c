// Reading a PEM file into its certificates and its private key, with errors that say what the file
// holds instead of what was expected. Private to the tls module; used while a configuration is
// read.
#pragma once

#include <vector>

#include "openssl_handles.h"
#include "penstock/base/result.h"

namespace penstock::tls {

/// All certificates of the file, in its order; other blocks are passed over. Errors: the file
/// cannot be read, holds no certificate, holds a damaged one.
[[nodiscard]] Result<std::vector<X509Ptr>> read_certificates(const std::string& path);

/// All lists of revoked certificates, with the same errors.
[[nodiscard]] Result<std::vector<CrlPtr>> read_revoked(const std::string& path);

/// The first private key of the file. Never asks for a passphrase: an encrypted key is an error.
/// `chain_path` is only named in the error text when that file turns out to hold the key.
[[nodiscard]] Result<KeyPtr> read_private_key(const std::string& path,
                                              const std::string& chain_path);

}  // namespace penstock::tls
