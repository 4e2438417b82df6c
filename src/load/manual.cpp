// The text of penstock-load(1).
#include "manual.h"

#include <array>

#include "penstock/load/command_line.h"
#include "run_options.h"

namespace penstock::load {
namespace {

constexpr cli::Entry modes[] = {
    {"rr",
     "Requests and answers on connections that stay. With equal sizes it works against any echo "
     "server and compares every byte of what comes back; with different ones it needs "
     "penstock-load serve, which checks the requests, too."},
    {"conn",
     "A connection for each operation: connect, with TLS the handshake, one request (of rr, or of "
     "http where the target is a URL), close."},
    {"tls", "A connection and a TLS handshake for each operation, nothing else."},
    {"http",
     "HTTP/1.1 on connections that stay. Framing and length of the answers are checked; a status "
     "of 400 or above is an error."},
    {"bulk",
     "Streams of data, checked byte by byte by both ends, which takes penstock-load serve as the "
     "server. With --no-verify and --active 0 any sink or source will do. Requests beside them "
     "measure the latency under load."},
    {"hold",
     "Idle connections, and requests beside them. With --watch-pid it says what a connection costs "
     "a process."},
    {"chaos",
     "Hostile clients of several kinds, and a well-behaved one beside them, whose latency and "
     "errors are the result."},
    {"mix",
     "Several loads at once, each of a mode above, from the file of --scenario; conf/load/mix.toml "
     "explains what is in it."},
};
static_assert(std::size(modes) == std::size(mode_names) + 1);

constexpr cli::Entry values[] = {
    {"TIME", "A number and a unit: 250us, 10ms, 30s, 5m."},
    {"N of a rate", "Operations a second: 5000, 20k, 1.5M."},
    {"TARGET",
     "HOST:PORT, [IPv6]:PORT, tcp://HOST:PORT, tls://HOST:PORT, http://HOST[:PORT]/PATH, "
     "https://HOST[:PORT]/PATH or unix:PATH. Names are resolved once, before anything is "
     "measured."},
};

constexpr cli::Entry exit_codes[] = {
    {"0", "Done: everything that was to hold holds."},
    {"1",
     "Bytes were lost, short or corrupt, or no operation went well, or the run could not begin."},
    {"3", "A condition of --assert does not hold, or a search has found no rate that meets --slo."},
    {"4",
     "The conditions hold, but the generator was too busy to judge: in the open loop its lag (p99) "
     "was above 200 us and a tenth of the latency's p99, or a worker used more than 90 % of a "
     "CPU. Without --assert and --slo this is a warning."},
    {"64", "Wrong usage; nothing was sent."},
};

constexpr std::string_view latency_text =
    "In the open loop (--rate, --ramp, --steps) every operation has an intended start, from a "
    "timeline that does not wait for answers; one that finds no free connection waits in a queue. "
    "Latency counts from the intended start, so a target that stalls is charged for every "
    "operation that it held up; service time counts from the first byte sent; what lies between "
    "is the generator's lag. With --no-catchup an operation is skipped and counted as never sent "
    "when no connection is free at its time, or the generator comes to it more than 1 ms late: the "
    "load is even, but stalls do not show in the latencies any more. In the closed loop (--closed) "
    "an operation begins when one has ended, and a target that stalls slows its own judge down: "
    "results are labelled as such.";

constexpr std::string_view signals_text =
    "SIGINT (Ctrl-C) and SIGTERM end a run early: what is under way has a second to end, the "
    "results until then are printed and written, and marked as partial (a CSV file says so in the "
    "column interrupted, an hgrm file in a comment at its end). A second signal ends it at "
    "once.";

}  // namespace

std::string manual_page(const CLI::App& app) {
  const cli::Manual manual{
      .version = "penstock " PENSTOCK_VERSION,
      .summary = "put a load on TCP, TLS and HTTP servers, with numbers that can be believed",
      .description = {"penstock-load sends operations to a target, measures how long each takes, "
                      "and checks every byte of the answers. It has these commands; --help after "
                      "one tells its options."},
      .before = {{.heading = "MODES", .text = "What run does is said by --mode.", .entries = modes},
                 {.heading = "LATENCY", .text = latency_text},
                 {.heading = "VALUES", .entries = values}},
      .after = {{.heading = "SIGNALS", .text = signals_text},
                {.heading = "EXIT STATUS",
                 .text = "Of several that apply, 1 comes before 3, 3 before 4.",
                 .entries = exit_codes}},
      .examples = {{"run", run_examples()},
                   {"serve", serve_examples()},
                   {"report", report_examples()},
                   {"selftest", selftest_examples()},
                   {"calibrate", calibrate_examples()}},
      .see_also = {"iperf3(1)", "openssl-s_time(1ssl)", "wrk(1)"}};
  return cli::manual_page(app, manual);
}

}  // namespace penstock::load
