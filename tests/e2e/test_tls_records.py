"""TLS records: how an answer is cut into them."""
import clients
import fleet
from suite import expect, test


class RecordingStream(clients.TlsStream):
    """Keeps what comes as it comes, encrypted."""

    def __init__(self, connection, context):
        self.raw = bytearray()
        super().__init__(connection, context)

    def _feed(self):
        data = self.socket.recv(clients.BULK)
        self.raw += data
        with self._engine:
            self._incoming.write(data) if data else self._incoming.write_eof()

    def record_sizes(self):
        """Bytes of each record of application data that has come, header and tag counted."""
        sizes = []
        at = 0
        while at + 5 <= len(self.raw):
            size = 5 + int.from_bytes(self.raw[at + 3 : at + 5], "big")
            if self.raw[at] == 23:
                sizes.append(size)
            at += size
        return sizes


@test("records are small at first, so that a client can begin early, and large in bulk")
def record_sizes(t):
    total = 16 << 20
    backend = fleet.Backend(t, lambda stream: (stream.recv(), stream.sendall(bytes(total))))
    penstock = t.front([backend], "tls")
    connection = clients.connect(penstock.address())
    with RecordingStream(connection, t.shared.client_context("tls13")) as stream:
        handshake = len(stream.record_sizes())
        stream.sendall(b"?")
        got = 0
        while got < total:
            got += len(stream.recv())
        sizes = stream.record_sizes()[handshake:]
    answer = [size for size in sizes if size > 300]  # session tickets may come first
    expect(answer[0] <= 4096 + 64, f"the first records: {sizes[:8]}")
    large = sum(size for size in answer if size > 15000)
    expect(large > 0.8 * total, f"{large} of {total} bytes in large records: {answer[-20:]}")
