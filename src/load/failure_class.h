// Under which class of errors the loss of a connection is counted.
#pragma once

#include <string>

#include "connection.h"
#include "penstock/load/recorder.h"

namespace penstock::load {

/// What a failure is counted as. `within`: bytes of an answer had come.
[[nodiscard]] ErrorClass classify(const Failure& failure, bool within) noexcept;

/// The cause of a failure as a clause, for one that no operation's error tells of.
[[nodiscard]] std::string reason_of(const Failure& failure);

}  // namespace penstock::load
