// What other load tools say of their runs. Pure; each is read as the version of Debian 12 writes
// it.
#pragma once

#include <optional>
#include <string_view>

namespace penstock::load {

/// wrk 4: its "Requests/sec:" line. nullopt: there is none.
[[nodiscard]] std::optional<double> requests_a_second_of_wrk(std::string_view text) noexcept;
/// `openssl s_time -new`: how many connections it made. nullopt: it does not say.
[[nodiscard]] std::optional<double> connections_of_s_time(std::string_view text) noexcept;

}  // namespace penstock::load
