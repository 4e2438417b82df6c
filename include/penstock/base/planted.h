// Planted bugs: classic mistakes that a build with -Dplanted=true can switch on, one at a time, so
// that the simulation proves that it would find them. In every other build planted() is false at
// compile time and nothing of this is left. Set before threads start, or on the only one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace penstock {

// name, what goes wrong
#define PENSTOCK_PLANTED_BUGS(X)                                                         \
  X(close_in_flight, "sockets are closed and sessions freed with requests in flight")    \
  X(forgotten_fin, "a FIN is noted as passed on and never sent")                         \
  X(full_close, "one side's FIN ends both directions")                                   \
  X(send_repeated, "what a short send has taken is sent again")                          \
  X(send_cut, "a short send counts as a whole one")                                      \
  X(buffer_returned_early, "a received buffer is posted again while its bytes are used") \
  X(no_rearm_after_enobufs, "a receive that found no buffer is not armed again")         \
  X(last_event_ignored, "the event with which the kernel ends a watch is not acted on")  \
  X(accept_not_rearmed, "a multishot accept that the kernel ended is not armed again")   \
  X(accept_spins, "accept goes on at once after EMFILE")                                 \
  X(accept_queue_dropped, "what is queued is not served when accepting stops")           \
  X(parked_forgotten, "connections parked at the limit are not served")                  \
  X(limit_off_by_one, "one session more than max_connections is let in")                 \
  X(reset_as_end, "a receive that met the reset counts as the end of the stream")        \
  X(end_after_reset_as_fin, "the end that is read after a send met the reset is a FIN")  \
  X(reset_before_delivery, "a reset is passed on before what came first is delivered")   \
  X(tried_again, "a retry may go to the backend that has just refused")                  \
  X(secured_late, "bytes pass to a backend before its TLS handshake is done")            \
  X(try_remembered, "a TLS stream is gone on with at the next backend")                  \
  X(retry_loses_bytes, "what the client sent before a retry is dropped")                 \
  X(liveness_ignored, "dead backends are chosen")                                        \
  X(liveness_lost, "an update of the liveness is taken and not used")                    \
  X(idle_timer_blind, "idle_timeout counts from the beginning, not from the last byte")  \
  X(count_leaks, "a session whose backend reset stays counted as active")                \
  X(record_twice, "a session that was cut leaves two records")                           \
  X(truncation_as_end, "a TLS stream without close_notify counts as ended properly")     \
  X(no_close_notify, "a TLS stream is ended by FIN alone")                               \
  X(plaintext_left, "decrypted bytes wait for the next receive")                         \
  X(handshake_deadline_moves, "every byte of a handshake moves its deadline")            \
  X(full_pipe_returned, "a pipe with bytes left in it is lent to the next one")          \
  X(pipe_dropped, "a direction is copied again while bytes are in its pipe")             \
  X(watermark_left, "the low watermark stays raised when a direction is copied again")   \
  X(tail_forgotten, "nobody looks for what the low watermark hides")                     \
  X(hand_over_unnoticed, "a shard is not woken for a connection handed over to it")      \
  X(handshake_forgotten, "handshakes beyond what fits into a turn are not continued")

enum class Planted : std::uint8_t {
#define PENSTOCK_X(name, wrong) name,
  PENSTOCK_PLANTED_BUGS(PENSTOCK_X)
#undef PENSTOCK_X
};

#ifdef PENSTOCK_PLANTED
struct PlantedInfo {
  Planted bug;
  std::string_view name;
  std::string_view wrong;
};
[[nodiscard]] std::span<const PlantedInfo> planted_bugs() noexcept;
/// Switches one on, and all others off.
void plant(std::optional<Planted> bug) noexcept;
[[nodiscard]] bool planted(Planted bug) noexcept;
#else
[[nodiscard]] constexpr bool planted(Planted /*bug*/) noexcept { return false; }
#endif

}  // namespace penstock
