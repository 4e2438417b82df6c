// The BIO's callbacks. OpenSSL calls them inside the Engine's calls only, on the shard's thread.
#include "port.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <span>

#include "penstock/base/assert.h"
#include "penstock/base/test_switches.h"

namespace penstock::tls {

/// The callbacks as OpenSSL wants them: C functions that find their port in the BIO.
struct PortMethod {
  static Port& port(BIO* bio) noexcept { return *static_cast<Port*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) noexcept {
    BIO_clear_retry_flags(bio);
    const int got = port(bio).read(to, size);
    if (got < 0) BIO_set_retry_read(bio);
    return got;
  }
  static int write(BIO* bio, const char* from, int size) noexcept {
    BIO_clear_retry_flags(bio);
    const int put = port(bio).write(from, size);
    if (put < 0) BIO_set_retry_write(bio);
    return put;
  }
  static long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) noexcept {
    const Port& self = port(bio);
    switch (command) {
      case BIO_CTRL_FLUSH:
      case BIO_CTRL_DUP:
        return 1;
      case BIO_CTRL_EOF:
        return self.at_end() ? 1 : 0;
      case BIO_CTRL_PENDING:
        return self.window_ != nullptr ? static_cast<long>(self.window_->input.size()) : 0;
      case BIO_CTRL_WPENDING:
        return static_cast<long>(self.held_.size());
      default:
        return 0;  // among them the questions for kTLS: no
    }
  }

  /// Made once a process and never freed.
  static const BIO_METHOD* instance() noexcept {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "penstock port");
      if (made == nullptr) return made;
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return method;
  }
};

BioPtr Port::make_bio() noexcept {
  const BIO_METHOD* method = PortMethod::instance();
  if (method == nullptr) return nullptr;
  BioPtr bio(BIO_new(method));
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio.get(), this);
  BIO_set_init(bio.get(), 1);
  return bio;
}

bool Port::drain() noexcept {
  PENSTOCK_ASSERT(window_ != nullptr);
  if (held_.empty()) return true;
  const std::size_t moved = std::min(held_.size(), window_->output.size());
  if (moved > 0) std::memcpy(window_->output.data(), held_.data(), moved);
  window_->output = window_->output.subspan(moved);
  if (moved < held_.size()) {
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(moved));
    return false;
  }
  // An idle connection keeps no memory for this.
  std::vector<std::byte>().swap(held_);
  return true;
}

bool Port::at_end() const noexcept {
  return window_ != nullptr && window_->input_ended && window_->input.empty() && !input_hidden_ &&
         held_.empty();
}

int Port::read(char* to, int size) noexcept {
  if (at_end()) return 0;
  if (window_ == nullptr || input_hidden_ || !held_.empty() || window_->input.empty()) return -1;
  const std::size_t moved = std::min(static_cast<std::size_t>(size), window_->input.size());
  std::memcpy(to, window_->input.data(), moved);
  window_->input = window_->input.subspan(moved);
  return static_cast<int>(moved);
}

int Port::write(const char* from, int size) noexcept {
  if (output_ended_) return size;
  if (window_ == nullptr) return -1;
  const auto bytes = std::as_bytes(std::span(from, static_cast<std::size_t>(size)));
  const std::size_t fits = held_.empty() ? std::min(bytes.size(), window_->output.size()) : 0;
  if (fits > 0) std::memcpy(window_->output.data(), bytes.data(), fits);
  window_->output = window_->output.subspan(fits);
  if (fits == bytes.size()) return size;
  try {
    if (test_switches::allocation_fails()) throw std::bad_alloc();
    held_.insert(held_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(fits), bytes.end());
  } catch (...) {
    // Out of memory: OpenSSL keeps the rest and tries again in the next call.
    return fits > 0 ? static_cast<int>(fits) : -1;
  }
  return size;
}

}  // namespace penstock::tls
