"""Which backend a client must reach, from the independent script tests/data/maglev.py."""
import importlib.util
import pathlib

_path = pathlib.Path(__file__).resolve().parents[1] / "data/maglev.py"
_specification = importlib.util.spec_from_file_location("maglev", _path)
maglev = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(maglev)


class Predictor:
    """The table of one pool; members are (name, weight)."""

    def __init__(self, members, seed=0):
        self._table = maglev.Table(members, seed)
        self._names = [name for name, _ in members]

    def pick(self, ip, port=None, dead=()):
        """The backend of this client; a port for hash_key source_ip_port."""
        return self._table.predict(ip, port, dead)

    def order(self, ip, port=None):
        """All backends in the order in which this client's connection tries them."""
        tried = []
        while len(tried) < len(self._names):
            tried.append(self.pick(ip, port, tried))
        return tried

    def address_with_order(self, *names):
        """A source address 127.0.x.y whose order begins with these names."""
        for number in range(4000):
            ip = f"127.0.{10 + number // 200}.{1 + number % 200}"
            if tuple(self.order(ip)[: len(names)]) == names:
                return ip
        raise LookupError(f"no address has the order {names}")


def equal(names):
    """A pool of these names, all of weight 1."""
    return Predictor([(name, 1) for name in names])
