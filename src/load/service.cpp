// Accepting, echoing, checking. A client that does not read is not read from either.
#include "service.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock::load {
namespace {

/// With so much waiting to be echoed the client is held back, until less than a quarter is left.
constexpr std::size_t most_waiting = std::size_t{256} * 1024;
/// Without descriptors or memory accepting is tried again, not in a busy loop.
constexpr Duration accept_pause = 100ms;

}  // namespace

void ServiceCounters::add(const ServiceCounters& other) noexcept {
  accepted += other.accepted;
  closed += other.closed;
  lost += other.lost;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  requests += other.requests;
  wrong += other.wrong;
  accept_errors += other.accept_errors;
}

Service::Service(Context& context, int listener_fd, MakeConnection make_connection,
                 ServiceCounters& counters)
    : context_(context),
      listener_fd_(listener_fd),
      make_connection_(std::move(make_connection)),
      counters_(counters),
      accept_op_(static_cast<OpOwner*>(this), Side::front, static_cast<std::uint8_t>(Role::other)),
      cancel_op_(static_cast<OpOwner*>(this), Side::front, static_cast<std::uint8_t>(Role::other)) {
}

Service::~Service() { PENSTOCK_ASSERT(clients_.empty()); }

void Service::prepare() { context_.ring.accept(accept_op_, listener_fd_); }

void Service::on_completion(const io::Completion& completion) {
  if (&completion.op == &cancel_op_) return;
  if (completion.result >= 0) {
    accepted(completion.result);
  } else if (!stopped_) {
    ++counters_.accept_errors;
    if (!accept_op_.in_flight) context_.timers.schedule(timer, context_.now + accept_pause);
    return;
  }
  if (!accept_op_.in_flight && !stopped_) context_.ring.accept(accept_op_, listener_fd_);
}

void Service::on_due() {
  if (!stopped_ && !accept_op_.in_flight) context_.ring.accept(accept_op_, listener_fd_);
}

void Service::accepted(int fd) {
  auto client = std::make_unique<Client>();
  Connection* connection = stopped_ ? nullptr : make_connection_(*this, client.get());
  if (connection == nullptr) {  // no place for another one
    ++counters_.accept_errors;
    return context_.kernel.close_with_reset(fd);
  }
  ++counters_.accepted;
  client->connection = connection;
  clients_.push_back(*client.release());  // given back in on_closed()
  connection->adopt(fd, nullptr, {});
}

void Service::consume(Connection& connection, std::span<const std::byte> bytes) {
  Client& from = client(connection);
  counters_.bytes_in += bytes.size();
  switch (from.kind) {
    case Client::Kind::unknown:
      return begin_stream(from, bytes);
    case Client::Kind::echo:
      return echo(from, bytes);
    case Client::Kind::rr:
      return check_requests(from, bytes);
  }
}

/// Finds out whether the client opens with a preface.
void Service::begin_stream(Client& from, std::span<const std::byte> bytes) {
  from.head.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto head = std::as_bytes(std::span(from.head));
  if (!Preface::may_begin(head)) {
    from.kind = Client::Kind::echo;
    const std::string all = std::exchange(from.head, {});
    return echo(from, std::as_bytes(std::span(all)));
  }
  if (head.size() < Preface::size) return;
  const auto preface = Preface::decode(head.first<Preface::size>());
  if (!preface || preface->purpose != Purpose::rr || preface->request_size == 0) {
    ++counters_.wrong;
    return cut(from);
  }
  from.kind = Client::Kind::rr;
  from.preface = *preface;
  const std::string rest = std::exchange(from.head, {}).substr(Preface::size);
  check_requests(from, std::as_bytes(std::span(rest)));
}

void Service::echo(Client& from, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const bool large = bytes.size() > io::BufferPool::capacity(io::BufferClass::small);
    io::Buffer buffer =
        context_.buffers.take(large ? io::BufferClass::large : io::BufferClass::small);
    if (!buffer) buffer = context_.buffers.take(io::BufferClass::small);
    if (!buffer) {  // others hold them all
      return cut(from);
    }
    const std::size_t size = std::min(bytes.size(), buffer.bytes().size());
    std::memcpy(buffer.bytes().data(), bytes.data(), size);
    from.waiting.emplace_back(std::move(buffer), size);
    from.waiting_bytes += size;
    bytes = bytes.subspan(size);
  }
  if (from.waiting_bytes > most_waiting) from.connection->want_input(false);
  from.connection->flush();
}

void Service::check_requests(Client& from, std::span<const std::byte> bytes) {
  if (check_pattern(from.preface.key, from.received, bytes)) {
    ++counters_.wrong;
    return cut(from);
  }
  const std::uint64_t before = from.received / from.preface.request_size;
  from.received += bytes.size();
  const std::uint64_t whole = (from.received / from.preface.request_size) - before;
  counters_.requests += whole;
  from.answers_owed += whole * from.preface.answer_size;
  if (from.answers_owed > most_waiting) from.connection->want_input(false);
  from.connection->flush();
}

std::size_t Service::produce(Connection& connection, std::span<std::byte> to) {
  Client& client = Service::client(connection);
  std::size_t size = 0;
  while (!client.waiting.empty() && size < to.size()) {
    wire::Slice& front = client.waiting.front();
    const std::size_t part = std::min(front.size(), to.size() - size);
    std::memcpy(to.data() + size, front.readable().data(), part);
    size += part;
    client.waiting_bytes -= part;
    front.consumed(part);
    if (front.empty()) client.waiting.pop_front();
  }
  if (client.answers_owed > 0) {
    size = std::min<std::size_t>(client.answers_owed, to.size());
    fill_pattern(answer_key(client.preface.key), client.answered, to.first(size));
    client.answered += size;
    client.answers_owed -= size;
  }
  counters_.bytes_out += size;
  if (std::max<std::uint64_t>(client.waiting_bytes, client.answers_owed) < most_waiting / 4) {
    connection.want_input(true);
  }
  finish_if_done(client);
  return size;
}

void Service::finish_if_done(Client& client) {
  if (client.ended && client.waiting.empty() && client.answers_owed == 0) {
    client.connection->finish();
  }
}

void Service::on_end(Connection& connection) {
  Client& ended = client(connection);
  ended.ended = true;
  finish_if_done(ended);
}

void Service::on_failure(Connection& connection, const Failure& /*failure*/) {
  client(connection).broken = true;
}

void Service::cut(Client& client) {
  client.broken = true;
  client.connection->close(Ending::reset);
}

void Service::on_closed(Connection& connection) {
  const std::unique_ptr<Client> gone(&client(connection));
  ++(gone->broken ? counters_.lost : counters_.closed);
}

void Service::stop() {
  stopped_ = true;
  context_.timers.cancel(timer);
  if (accept_op_.in_flight && !cancel_op_.in_flight) context_.ring.cancel(cancel_op_, accept_op_);
}

void Service::abandon() {
  stop();
  for (Client* each = clients_.front(); each != nullptr; each = clients_.next(*each)) {
    cut(*each);
  }
}

bool Service::done() const noexcept {
  return stopped_ && clients_.empty() && !accept_op_.in_flight && !cancel_op_.in_flight;
}

}  // namespace penstock::load
