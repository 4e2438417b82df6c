// PEM files block by block. OpenSSL's own readers of keys prompt for passphrases and say "no start
// line" to nearly every mistake; going through the blocks lets the error say what is there.
#include "pem_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "penstock/base/unique_fd.h"

namespace penstock::tls {
namespace {

// A chain of ten RSA-4096 certificates has about 20 KiB; what is larger than this is another file.
constexpr std::size_t largest_file = std::size_t{1} << 20U;

/// Bytes that are wiped when they go: they may be a private key.
struct Secret {
  Secret() = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }
  std::string text;
};

/// One block of a PEM file, "-----BEGIN name-----".
struct Block {
  std::string name;
  bool encrypted = false;
  Secret der;
};

struct PemFile {
  std::vector<Block> blocks;
  std::string damage;  ///< why the block after the last one could not be read; empty: it is whole
  bool looks_like_der = false;
};

Result<Secret> read_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.valid()) return fail_errno(fmt::format("cannot open {}", path), errno);
  // Wiping needs all bytes in one place: the text must not move while it grows.
  Secret content;
  content.text.resize(largest_file + 1);
  std::size_t size = 0;
  while (size < content.text.size()) {
    const ssize_t got = ::read(file.get(), content.text.data() + size, content.text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("cannot read {}", path), errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > largest_file) {
    return fail(
        fmt::format("{} is larger than 1 MiB: it cannot be a PEM file with certificates", path));
  }
  content.text.resize(size);
  return content;
}

bool is_key(const Block& block) { return block.name.ends_with("PRIVATE KEY"); }

bool is_certificate(const Block& block) {
  return block.name == PEM_STRING_X509 || block.name == PEM_STRING_X509_OLD ||
         block.name == PEM_STRING_X509_TRUSTED;
}

/// Reads the next block. False at the end of the file and at a damaged block; `damage` tells them
/// apart.
bool next_block(BIO* from, Block& block, std::string& damage) {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  ERR_clear_error();
  if (PEM_read_bio(from, &name, &header, &data, &size) != 1) {
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    damage = at_end ? std::string() : take_reason();
    ERR_clear_error();
    return false;
  }
  block.name = name;
  block.encrypted = block.name == PEM_STRING_PKCS8 ||
                    std::string_view(header).find("ENCRYPTED") != std::string_view::npos;
  block.der.text.assign(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_clear_free(data, static_cast<std::size_t>(size));
  return true;
}

Result<PemFile> read_blocks(const std::string& path) {
  auto content = read_file(path);
  if (!content) return std::unexpected(content.error());
  const BioPtr memory(
      BIO_new_mem_buf(content->text.data(), static_cast<int>(content->text.size())));
  if (memory == nullptr) return fail(fmt::format("cannot read {}: out of memory", path));
  PemFile file;
  // Every DER certificate and key is an ASN.1 SEQUENCE of more than 127 bytes.
  file.looks_like_der =
      content->text.starts_with("\x30\x82") || content->text.starts_with("\x30\x81");
  Block block;
  while (next_block(memory.get(), block, file.damage)) {
    file.blocks.push_back(std::move(block));
    block = Block{};
  }
  return file;
}

std::unexpected<Error> fail_without(const PemFile& file, const std::string& path,
                                    std::string_view wanted, std::string_view found) {
  if (!file.damage.empty()) return fail(fmt::format("{} is damaged: {}", path, file.damage));
  if (file.looks_like_der) {
    const std::string_view command = wanted == "certificate"   ? "x509"
                                     : wanted == "private key" ? "pkey"
                                                               : "crl";
    return fail(
        fmt::format("{} is in DER form: convert it to PEM with `openssl {} -inform DER -in {} "
                    "-out FILE.pem`",
                    path, command, path));
  }
  return fail(fmt::format("{} holds no {} in PEM form{}", path, wanted, found));
}

X509Ptr parse_certificate(const Block& block) {
  const auto* data = reinterpret_cast<const unsigned char*>(block.der.text.data());
  const auto size = static_cast<long>(block.der.text.size());
  // "TRUSTED CERTIFICATE" carries OpenSSL's own trust settings after the certificate.
  return X509Ptr(block.name == PEM_STRING_X509_TRUSTED ? d2i_X509_AUX(nullptr, &data, size)
                                                       : d2i_X509(nullptr, &data, size));
}

Result<KeyPtr> parse_key(const Block& block, const std::string& path) {
  if (block.encrypted) {
    return fail(
        fmt::format("the private key in {} is encrypted, and penstock never asks for a "
                    "passphrase: decrypt it with `openssl pkey -in {} -out FILE.key` and keep "
                    "that file readable for penstock only",
                    path, path));
  }
  if (block.name == "OPENSSH PRIVATE KEY") {
    return fail(
        fmt::format("the private key in {} is in OpenSSH's own form: convert it with "
                    "`ssh-keygen -p -m PEM -f {}`",
                    path, path));
  }
  const auto* data = reinterpret_cast<const unsigned char*>(block.der.text.data());
  ERR_clear_error();
  KeyPtr key(d2i_AutoPrivateKey(nullptr, &data, static_cast<long>(block.der.text.size())));
  if (key == nullptr) {
    return fail(fmt::format("the private key in {} is malformed: {}", path, take_reason()));
  }
  ERR_clear_error();
  return key;
}

bool holds_key(const std::string& path) {
  const auto file = read_blocks(path);
  return file && std::ranges::any_of(file->blocks, is_key);
}

}  // namespace

Result<std::vector<X509Ptr>> read_certificates(const std::string& path) {
  const auto file = read_blocks(path);
  if (!file) return std::unexpected(file.error());
  std::vector<X509Ptr> certificates;
  for (const Block& block : file->blocks) {
    if (!is_certificate(block)) continue;
    ERR_clear_error();
    certificates.push_back(parse_certificate(block));
    if (certificates.back() != nullptr) continue;
    return fail(fmt::format("certificate {} in {} is malformed: {}", certificates.size(), path,
                            take_reason()));
  }
  ERR_clear_error();
  if (certificates.empty()) {
    const bool key = std::ranges::any_of(file->blocks, is_key);
    return fail_without(*file, path, "certificate",
                        key ? ", only a private key: chain and key may be swapped" : "");
  }
  if (!file->damage.empty()) {
    return fail(fmt::format("{} is damaged after certificate {}: {}", path, certificates.size(),
                            file->damage));
  }
  return certificates;
}

Result<std::vector<CrlPtr>> read_revoked(const std::string& path) {
  const auto file = read_blocks(path);
  if (!file) return std::unexpected(file.error());
  std::vector<CrlPtr> lists;
  for (const Block& block : file->blocks) {
    if (block.name != PEM_STRING_X509_CRL) continue;
    const auto* data = reinterpret_cast<const unsigned char*>(block.der.text.data());
    ERR_clear_error();
    lists.emplace_back(d2i_X509_CRL(nullptr, &data, static_cast<long>(block.der.text.size())));
    if (lists.back() != nullptr) continue;
    return fail(fmt::format("revocation list {} in {} is malformed: {}", lists.size(), path,
                            take_reason()));
  }
  ERR_clear_error();
  if (lists.empty()) return fail_without(*file, path, "certificate revocation list", "");
  if (!file->damage.empty()) {
    return fail(fmt::format("{} is damaged after revocation list {}: {}", path, lists.size(),
                            file->damage));
  }
  return lists;
}

Result<KeyPtr> read_private_key(const std::string& path, const std::string& chain_path) {
  const auto file = read_blocks(path);
  if (!file) return std::unexpected(file.error());
  const auto block = std::ranges::find_if(file->blocks, is_key);
  if (block != file->blocks.end()) return parse_key(*block, path);
  const bool certificate = std::ranges::any_of(file->blocks, is_certificate);
  std::string found = certificate ? ", only a certificate" : "";
  if (path != chain_path && holds_key(chain_path)) {
    found += fmt::format("; {} holds one: name that file as the key too", chain_path);
  }
  return fail_without(*file, path, "private key", found);
}

}  // namespace penstock::tls
