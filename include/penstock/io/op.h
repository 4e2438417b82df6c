// Op: one request to the kernel. It is embedded in its owner, its address is the SQE's user_data,
// so it is neither copied nor moved and its owner outlives every completion.
#pragma once

#include <cstdint>

#include "penstock/base/assert.h"
#include "penstock/base/side.h"

namespace penstock::io {

enum class OpKind : std::uint8_t {
  accept,
  wake,
  connect,
  receive,
  send,
  readable,
  writable,
  cancel
};

struct Op {
  explicit Op(void* its_owner, Side its_side = Side::front, std::uint8_t its_role = 0) noexcept
      : owner(its_owner), side(its_side), role(its_role) {}
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  ~Op() { PENSTOCK_ASSERT(!in_flight); }

  void* owner;                 ///< whoever gets the completion
  OpKind kind = OpKind::wake;  ///< set when submitted
  Side side;                   ///< which leg of the owner
  std::uint8_t role;  ///< what kind of thing the owner is, in the words of the loop that dispatches
  bool in_flight = false;  ///< the kernel may still complete it
};

struct Completion {
  Op& op;
  int result;           ///< as the operation defines it; negative: -errno
  std::uint32_t flags;  ///< IORING_CQE_F_*; read through Ring and BufferPool only
};

}  // namespace penstock::io
