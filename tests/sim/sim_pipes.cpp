// Pipes and splice. The order of checks is that of Linux's tcp_splice_read(): data, then the end of
// the stream, then an error; a pipe of many small pieces is full before its bytes are.
#include <algorithm>
#include <cerrno>
#include <vector>

#include "allocations.h"
#include "penstock/base/assert.h"
#include "sim_kernel.h"
#include "sim_parts.h"

namespace penstock::sim {

int SimKernel::open_pipe(std::size_t size, io::PipeEnds& ends) noexcept {
  const Uncounted here;
  PENSTOCK_ASSERT(size > 0);
  if (random_.chance(faults_.pipe_fails)) return random_.chance(0.5) ? -EPERM : -EMFILE;
  const auto pipe = std::make_shared<SimPipe>();
  pipe->size = size;
  for (int* end : {&ends.read, &ends.write}) {
    auto socket = std::make_shared<Socket>();
    socket->pipe = pipe;
    *end = add(std::move(socket));
  }
  return 0;
}

/// Somebody waits for, or is about to ask, what a splice would take away from him.
bool SimKernel::asked_for(const Socket& socket, std::uint8_t opcode) const noexcept {
  for (const auto& queue : queues_) {
    const bool pending = std::ranges::any_of(queue->pending, [&](const Request& request) {
      return request.socket.get() == &socket && request.asked.opcode == opcode;
    });
    if (pending) return true;
    for (unsigned i = queue->sq_head; i != queue->ring->sq.sqe_tail; ++i) {
      const io_uring_sqe& sqe = queue->sqes[i & queue->ring->sq.ring_mask];
      const auto known = sockets_.find(sqe.fd);
      if (known != sockets_.end() && known->second.get() == &socket && sqe.opcode == opcode)
        return true;
    }
  }
  return false;
}

int SimKernel::splice(int from, int to, std::size_t most) noexcept {
  const Uncounted here;
  Socket& source = socket_at(from);
  Socket& sink = socket_at(to);
  PENSTOCK_ASSERT(most > 0 && (source.pipe == nullptr) != (sink.pipe == nullptr));
  const bool in = sink.pipe != nullptr;
  const int result = in ? splice_in(source, sink, most) : splice_out(source, sink, most);
  print(in ? "splice in" : "splice out", in ? from : to, result);
  return result;
}

int SimKernel::splice_in(Socket& from, Socket& to, std::size_t most) {
  PENSTOCK_ASSERT(from.stream != nullptr && from.never_waits);
  PENSTOCK_ASSERT(!asked_for(from, IORING_OP_RECV));
  SimPipe& pipe = *to.pipe;
  std::size_t size = std::min(most, pipe.size - pipe.bytes.size());
  if (size == 0 || (!pipe.bytes.empty() && random_.chance(faults_.pipe_full_early))) return -EAGAIN;
  if (random_.chance(faults_.short_receive)) size = random_.between(1, size);
  std::vector<std::byte> bytes(size);
  const int result = from.stream->receive(bytes);
  if (result > 0)
    pipe.bytes.append(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::size_t>(result));
  return result;
}

int SimKernel::splice_out(Socket& from, Socket& to, std::size_t most) {
  PENSTOCK_ASSERT(to.stream != nullptr && to.never_waits);
  PENSTOCK_ASSERT(!asked_for(to, IORING_OP_SEND));
  SimPipe& pipe = *from.pipe;
  if (pipe.bytes.empty()) return -EAGAIN;
  std::size_t size = std::min(most, pipe.bytes.size());
  if (random_.chance(faults_.short_send)) size = random_.between(1, size);
  const int result = to.stream->send(std::as_bytes(std::span(pipe.bytes).first(size)));
  if (result > 0) pipe.bytes.erase(0, static_cast<std::size_t>(result));
  return result;
}

void SimKernel::never_wait(int fd) noexcept { socket_at(fd).never_waits = true; }

void SimKernel::set_low_watermark(int fd, std::size_t bytes) noexcept {
  print("set_low_watermark", fd, static_cast<int>(bytes));
  Socket& socket = socket_at(fd);
  PENSTOCK_ASSERT(socket.stream != nullptr);
  socket.stream->set_low_watermark(bytes);
}

}  // namespace penstock::sim
