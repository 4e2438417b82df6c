// SimKernel: the io::Kernel that is none. It reads the SQEs that production code writes and answers
// them over the Network, in an order, at a time and with a result that the seed chooses among those
// that Linux may give. It asserts what production code owes the kernel: one receive and one send
// per socket in flight, nothing in flight at a close, no buffer posted twice or written to while it
// is posted or being sent, no descriptor closed twice. Several rings may share it, all on one
// thread: enter() returns early, empty-handed, when another ring can go on; time passes when none
// can.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "network.h"
#include "penstock/io/kernel.h"

namespace penstock::sim {

/// How often the kernel takes the less usual way; probabilities per occasion.
struct Faults {
  double postpone = 0;         ///< a completion that could come now comes later
  double spurious_wakeup = 0;  ///< enter() returns with nothing
  double short_receive = 0;
  double short_send = 0;           ///< a send takes less than there is room for
  double watch_ends = 0;           ///< a multishot poll ends after an event
  double no_buffer = 0;            ///< -ENOBUFS although some are posted
  double accept_ends = 0;          ///< a multishot accept ends after a success
  double accept_out_of_files = 0;  ///< -EMFILE or -ENFILE; the connection stays queued
  double accept_aborted = 0;       ///< -ECONNABORTED; the connection is gone
  double late_cancel = 0;          ///< what could complete does so before the cancel finds it
  double open_socket_fails = 0;    ///< -EMFILE or -EAFNOSUPPORT
  double no_local_port = 0;        ///< connect: -EADDRNOTAVAIL
  double pipe_fails = 0;           ///< -EPERM or -EMFILE
  double pipe_full_early = 0;      ///< a pipe takes no more although there is room
  Duration turn_cost_max{};        ///< processor time that a turn takes
  /// Entries of a completion ring that is opened, when it asks for more; 0: as many as it asks for.
  std::uint32_t completion_entries = 0;
};

class SimKernel final : public io::Kernel {
 public:
  static constexpr int first_fd = 1 << 20;  ///< a stray close(2) of one says EBADF

  explicit SimKernel(std::uint64_t seed, const Wire& wire = {}, const Faults& faults = {})
      : SimKernel(Random(seed), wire, faults) {}
  explicit SimKernel(const Random& random, const Wire& wire = {}, const Faults& faults = {});
  ~SimKernel() override;

  [[nodiscard]] Result<void> open_ring(io_uring& ring, const io::RingOptions& options) override;
  void close_ring(io_uring& ring) noexcept override;
  [[nodiscard]] Result<io_uring_buf_ring*> open_buffer_ring(io_uring& ring, std::uint32_t entries,
                                                            std::uint16_t group) override;
  void close_buffer_ring(io_uring& ring, io_uring_buf_ring* buffers, std::uint32_t entries,
                         std::uint16_t group) noexcept override;
  [[nodiscard]] int enter(io_uring& ring, std::uint32_t wait_for, Instant until) noexcept override;

  [[nodiscard]] int open_socket(const Endpoint& peer,
                                const ConnectionOptions& options) noexcept override;
  [[nodiscard]] int connect_now(int fd, const Endpoint& peer) noexcept override;
  [[nodiscard]] int accept_now(int listener_fd) noexcept override;
  [[nodiscard]] Endpoint peer_of(int fd) noexcept override;
  int shutdown_write(int fd) noexcept override;
  [[nodiscard]] std::size_t unacknowledged(int fd) noexcept override;
  [[nodiscard]] std::uint32_t retransmits(int /*fd*/) noexcept override { return 0; }
  [[nodiscard]] int open_pipe(std::size_t size, io::PipeEnds& ends) noexcept override;
  [[nodiscard]] int splice(int from, int to, std::size_t most) noexcept override;
  void never_wait(int fd) noexcept override;
  void set_low_watermark(int fd, std::size_t bytes) noexcept override;
  void close(int fd) noexcept override;
  void close_with_reset(int fd) noexcept override;

  [[nodiscard]] Result<int> open_event() override;
  void notify(int event_fd) noexcept override;

  [[nodiscard]] Instant now() noexcept override { return timeline_.now(); }

  // What the supervisor and the test do, which is not part of the seam:

  /// A listening socket of ours; several at one address share it.
  [[nodiscard]] int listen(const Endpoint& at, std::size_t backlog);
  /// Drops SYNs from now on, as the supervisor's socket filter does.
  void drop_new_connections(int listener_fd);
  /// Connections waiting to be accepted.
  [[nodiscard]] std::size_t queued(int listener_fd);
  /// Lets `time` pass while no ring is waited for.
  void run_for(Duration time);
  void set_faults(const Faults& faults) noexcept { faults_ = faults; }
  [[nodiscard]] const Faults& faults() const noexcept { return faults_; }
  /// Prints every request and completion.
  void trace() noexcept { traced_ = true; }
  [[nodiscard]] std::size_t open_descriptors() const noexcept { return sockets_.size(); }
  [[nodiscard]] Network& network() noexcept { return network_; }
  [[nodiscard]] Timeline& timeline() noexcept { return timeline_; }
  [[nodiscard]] const Timeline& timeline() const noexcept { return timeline_; }
  [[nodiscard]] Random& random() noexcept { return random_; }

 private:
  struct Socket;
  struct Request;
  struct BufferGroup;
  struct Queue;
  struct Answered {
    int result;
    std::uint32_t flags;
  };

  [[nodiscard]] Queue& queue_of(const io_uring& ring) noexcept;
  [[nodiscard]] Socket& socket_at(int fd) noexcept;
  [[nodiscard]] int add(std::shared_ptr<Socket> socket);
  [[nodiscard]] std::shared_ptr<Socket> remove(int fd);
  int accept_from(Socket& listener);
  [[nodiscard]] bool asked_for(const Socket& socket, std::uint8_t opcode) const noexcept;
  int splice_in(Socket& from, Socket& to, std::size_t most);
  int splice_out(Socket& from, Socket& to, std::size_t most);

  void submit(Queue& queue);
  void check_duties(const Queue& queue, const Request& request) const;
  void start_connect(Request& request);
  static void start_receive(const Queue& queue, Request& request);
  void start_send(Queue& queue, Request& request);
  void start_cancel(Queue& queue, Request& request);
  void start_cancel_of_one(Queue& queue, Request& request);

  [[nodiscard]] static bool can_complete(const Request& request) noexcept;
  [[nodiscard]] static bool can_complete_any(const Queue& queue) noexcept;
  bool progress(Queue& queue, double postpone);
  /// False: it is over.
  bool attempt(Queue& queue, Request& request);
  bool attempt_accept(Queue& queue, Request& request);
  bool attempt_receive(Queue& queue, Request& request);
  bool attempt_send(Queue& queue, Request& request);
  bool attempt_poll(Queue& queue, Request& request);
  bool attempt_connect(Queue& queue, Request& request);
  bool attempt_read(Queue& queue, Request& request);
  void post(Queue& queue, const Request& request, Answered answer) const;
  static void flush_overflow(Queue& queue) noexcept;
  void print(const Queue& queue, const Request& request, const Answered* answer) const;
  void print(const char* call, int fd, int result) const;

  [[nodiscard]] bool let_time_pass(const Queue& mine, Instant until);
  void absorb_posted(Queue& queue, BufferGroup& group);

  Timeline timeline_;
  Random random_;
  Network network_;
  Faults faults_;
  bool traced_ = false;
  std::map<int, std::shared_ptr<Socket>> sockets_;
  std::vector<std::unique_ptr<Queue>> queues_;
};

}  // namespace penstock::sim
