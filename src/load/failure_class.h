// Under which class of errors the loss of a connection is counted.
#pragma once

#include "connection.h"
#include "penstock/load/recorder.h"

namespace penstock::load {

/// What a failure is counted as. `within`: bytes of an answer had come.
[[nodiscard]] ErrorClass classify(const Failure& failure, bool within) noexcept;

}  // namespace penstock::load
