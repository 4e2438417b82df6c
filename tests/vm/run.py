"""scripts/vm: runs a command, or the kernel matrix, on other kernels under software emulation."""
import argparse
import pathlib
import re
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True

import kernels
import machine
import matrix

COMMAND_LIMIT_S = 600
NO_MACHINE = 77  # the caller's sign that this is a skip and not a failure
BUILD = kernels.ROOT / "build/test"
EXAMPLES = """
KERNEL is 6.1, 6.12, newest (Debian's kernels, fetched when first asked for and kept in build/vm:
remove that for newer ones), or a folder that holds boot/vmlinuz-RELEASE and lib/modules/RELEASE.
The command sees this machine's own root, read-only with a layer in memory over it, and runs as root
in the folder that scripts/vm is called in, if that is below the project, else in the project's.

examples:
  scripts/vm 6.1 uname -r
  scripts/vm newest sh -c 'modprobe tls && cat /proc/net/tls_stat'
  scripts/vm 6.12 python3 tests/e2e/run.py --binary build/test/penstock --slow 8 -k reset
  scripts/vm all      the end-to-end suite on every kernel, also in other tiers and with netem
  scripts/vm short    a part of it on 6.12, in about 4 minutes

Exit codes: the command's own; 124 when it was not done in time; 125 when the machine ended without
one; 77 when there can be no machine here, with the reason.
"""


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/vm",
        description="Runs a command on another kernel, in a virtual machine that QEMU emulates.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="end it then (600; for all: 3600 a stage)"
    )
    parser.add_argument(
        "--stage", help="of all: only stages whose name matches this regular expression"
    )
    parser.add_argument("kernel", metavar="KERNEL|all|short")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args()
    if (options.kernel in ("all", "short")) == bool(options.command):
        parser.error("KERNEL needs a command, all and short take none")
    return options


def set_up():
    """Installs what is missing. stdout stays the command's."""
    setup = [str(kernels.ROOT / "scripts/setup"), "vm"]
    done = subprocess.run(setup, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if done.returncode != 0 or not shutil.which(machine.QEMU):
        raise kernels.Unavailable("QEMU or what it needs is not installed (scripts/setup vm)")


def build():
    """The penstock to test; compiled first where it is out of date."""
    if not (BUILD / "build.ninja").exists():
        command = ["meson", "setup", "--buildtype=debugoptimized", "-Dtests=true", str(BUILD)]
        subprocess.run(command, cwd=kernels.ROOT, stdout=sys.stderr, check=True)
    command = ["meson", "compile", "-C", str(BUILD), "penstock"]
    subprocess.run(command, cwd=kernels.ROOT, stdout=sys.stderr, check=True)
    return BUILD / "penstock"


def run_command(options):
    folder = pathlib.Path.cwd()
    if not folder.is_relative_to(kernels.ROOT):
        folder = kernels.ROOT
    kernel = kernels.find(options.kernel)
    limit_s = options.timeout or COMMAND_LIMIT_S
    output, errors = sys.stdout.buffer, sys.stderr.buffer
    return machine.run(kernel, options.command, limit_s, output, errors, folder)


def run_matrix(options):
    short = options.kernel == "short"
    stages = matrix.SHORT if short else matrix.ALL
    stages = [stage for stage in stages if re.search(options.stage or "", stage.name)]
    if not stages:
        print(f"vm: no stage matches {options.stage}", file=sys.stderr)
        return 64
    limit_s = options.timeout or (matrix.SHORT_LIMIT_S if short else matrix.STAGE_LIMIT_S)
    return matrix.run(stages, build(), limit_s)


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        set_up()
        return run_command(options) if options.command else run_matrix(options)
    except kernels.Unavailable as error:
        print(f"SKIP vm: {error}", flush=True)
        return NO_MACHINE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except subprocess.CalledProcessError as error:
        print(f"vm: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
