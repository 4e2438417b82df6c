"""How slow the machine is that the suite runs on: what a test waits for at most, or tolerates at
most, is multiplied by the factor of run.py's --slow. Times that penstock itself is configured with
stay as they are.
"""


class _Pace:
    factor = 1.0


def set_factor(factor):
    _Pace.factor = factor


def slow(seconds):
    """A limit for this machine."""
    return seconds * _Pace.factor
