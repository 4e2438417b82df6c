// The examples. A test takes each one apart as the program does, and looks for every option.
#include "manual.h"

namespace penstock::load {
namespace {

constexpr cli::Example of_run[] = {
    {"penstock-load run 127.0.0.1:7000 --rate 20k -c 100 -d 30s --warmup 3s",
     "requests to an echo server, open loop, after 3 s that do not count"},
    {"penstock-load run 127.0.0.1:7000 --closed -n 1000000 -t 2 --cpus 0,2 --depth 8",
     "a million requests, closed loop, by two threads with a CPU each"},
    {"penstock-load run 127.0.0.1:7000 --ramp 1k:20k:60s --arrival poisson --seed 7",
     "more and more requests, at random times that --seed repeats"},
    {"penstock-load run 127.0.0.1:7000 --steps 1k,2k,4k@10s --interval 500ms --no-live",
     "three rates for 10 s each, and a line every half second"},
    {"penstock-load run 127.0.0.1:7000 --rate 1k --burst 50 -c 50",
     "50 requests at once, 20 times a second"},
    {"penstock-load run 127.0.0.1:7000 --rate 1k -c 10 --no-catchup",
     "ten connections at most 1000 times a second together; what they cannot do is skipped"},
    {"penstock-load run 127.0.0.1:7000 --rate 5k --assert 'p99<2ms,err==0'",
     "exit code 3 unless both hold"},
    {"penstock-load run 127.0.0.1:7000 --rate max --slo 'p99<5ms,err<0.1%' --start-rate 5k",
     "the highest rate that meets this"},
    {"penstock-load run 127.0.0.1:7000 --rate 1k --size 100 --answer-size 64000 --timeout 2s",
     "answers larger than the requests, from penstock-load serve"},
    {"penstock-load run 127.0.0.1:7000 --rate 50k --no-verify --max-backlog 1000",
     "answers that are not compared; at most 1000 operations wait, more are unsent"},
    {"penstock-load run 127.0.0.1:7000 --mode conn --rate 2k --source 127.0.0.0/24 --close rst",
     "a connection for each request, from 254 addresses, ended by a reset"},
    {"penstock-load run 127.0.0.1:7000 127.0.0.1:7001 --rate 10k --keepalive-requests 100:1000",
     "two servers in turn, connections of 100 to 1000 requests"},
    {"penstock-load run https://shop.test/ --mode http --rate 1k --connect-to "
     "10.0.0.1:443,10.0.0.2:443",
     "requests for shop.test to two addresses that need not be in DNS"},
    {"penstock-load run 127.0.0.1:7000 --rate 1k --proxy-proto v2=192.0.2.7",
     "to a server that takes PROXY protocol headers, as if from 192.0.2.7"},
    {"penstock-load run 127.0.0.1:7000 --mode conn --rate 1k --port-range 40000:49999 "
     "--sndbuf 65536 --rcvbuf 65536",
     "from 10,000 of the local ports, with small buffers in the kernel"},
    {"penstock-load run http://127.0.0.1:8080/ --mode http --closed --connect-timeout 1s",
     "HTTP/1.1, closed loop"},
    {"penstock-load run https://127.0.0.1/a --mode http --rate 1k --method POST --body x=1 "
     "-H 'Accept: */*'",
     "HTTPS with a body and a header line"},
    {"penstock-load run 127.0.0.1:8443 --mode tls --rate 500 --resume 0.8 --sni a.test,b.test",
     "TLS handshakes for two names, four of five resume a session"},
    {"penstock-load run 127.0.0.1:8443 --tls --ca ca.pem --certificate me.pem --key me.key "
     "--rate 1k",
     "TLS that verifies the server and shows a certificate"},
    {"penstock-load run tls://127.0.0.1:8443 --closed --tls-version 1.2 --groups X25519:P-256 "
     "--ciphers ECDHE-ECDSA-AES128-GCM-SHA256 --sigalgs ecdsa_secp256r1_sha256",
     "TLS 1.2 with these groups, suites and signatures only"},
    {"penstock-load run 127.0.0.1:7000 --mode bulk --direction both -c 4 -d 30s --active 2",
     "streams both ways, and the latency of requests on two connections beside them"},
    {"penstock-load run 127.0.0.1:7000 --mode hold -c 10000 --dials 2k --watch-pid 4711",
     "idle connections, and what each costs a process in memory"},
    {"penstock-load run 127.0.0.1:7000 --mode chaos --chaos slowloris,garbage -c 100",
     "hostile clients, and the latency of a well-behaved one beside them"},
    {"penstock-load run 127.0.0.1:7000 --mode mix --scenario conf/load/mix.toml",
     "several loads at once, as the file has them"},
    {"penstock-load run 127.0.0.1:7000 --rate 5k -d 1h --prom 9100",
     "figures for Prometheus on http://127.0.0.1:9100/metrics"},
    {"penstock-load run 127.0.0.1:7000 --rate 5k --json a.json --csv a.csv --hgrm a.hgrm "
     "--html a.html --label build=7",
     "everything in files, for `report`, spreadsheets, HdrHistogram's plotters and browsers"},
};

constexpr cli::Example of_serve[] = {
    {"penstock-load serve", "an echo server on 127.0.0.1:7000"},
    {"penstock-load serve http --listen 0.0.0.0:8080 --body-size 1024 -t 2 -c 10000",
     "HTTP/1.1 on two threads, for 10,000 connections on each"},
    {"penstock-load serve delay --delay 1ms --other 50ms --share 0.1 --seed 7",
     "one answer of ten is late"},
    {"penstock-load serve delay --delay 5ms --exponential --message-size 256",
     "answers to messages of 256 bytes after a random time, 5 ms in the mean"},
    {"penstock-load serve --certificate server.pem --key server.key", "TLS"},
};

constexpr cli::Example of_report[] = {
    {"penstock-load report a.json", "a run as text"},
    {"penstock-load report a.json b.json --html c.html", "two runs beside each other"},
};

constexpr cli::Example of_selftest[] = {
    {"penstock-load selftest", "all of them, in 75 s"},
    {"penstock-load selftest --only 1,3 --tries 1", "two of them, once"},
    {"penstock-load selftest --only 2 -d 30s", "longer, so more exactly"},
};

constexpr cli::Example of_calibrate[] = {
    {"penstock-load calibrate", "all of them, in 35 s"},
    {"penstock-load calibrate --only rr-64,down", "two of them"},
    {"penstock-load calibrate --cpus 2,3 -d 10s", "the server on CPU 2, the client on CPU 3"},
};

}  // namespace

std::span<const cli::Example> run_examples() noexcept { return of_run; }
std::span<const cli::Example> serve_examples() noexcept { return of_serve; }
std::span<const cli::Example> report_examples() noexcept { return of_report; }
std::span<const cli::Example> selftest_examples() noexcept { return of_selftest; }
std::span<const cli::Example> calibrate_examples() noexcept { return of_calibrate; }

}  // namespace penstock::load
