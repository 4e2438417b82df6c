"""The part of the kernel matrix that runs inside the virtual machine: says which kernel and which
io_uring tier it is, then runs the suites. matrix.py reads the lines that begin with `vm: `.
"""
import argparse
import pathlib
import platform
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
END_TO_END = HERE.parent / "e2e"
sys.path.insert(0, str(END_TO_END))
sys.dont_write_bytecode = True

import harness  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--tier", required=True)
    parser.add_argument("--slow", required=True)
    parser.add_argument("--netem", default="", help="what tc's netem does to lo")
    parser.add_argument("--machine", action="store_true", help="the tests of this folder, too")
    parser.add_argument("-k", dest="pattern", default="", help="which end-to-end tests")
    return parser.parse_args()


def tier_line(binary, tier):
    """What penstock logs about io_uring at its start, or its last words."""
    config = {
        "listeners": {"web": {"bind": ["127.0.0.1:0"], "pool": "app"}},
        "pools": {"app": {"backends": ["127.0.0.1:9"]}},
        "process": {"shards": 1, "io_disable": harness.disabled_features(tier)},
    }
    line = "it said nothing"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "penstock.toml"
        path.write_text(harness.render(config))
        command = [binary, "run", "--config", str(path)]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:
            for line in process.stderr:
                if "io_uring: tier" in line:
                    break
            process.terminate()
            process.stderr.read()
    return line.strip().split(" ", 2)[-1]


def run_suite(options, *arguments):
    command = [sys.executable, str(END_TO_END / "run.py"), "--binary", options.binary]
    command += ["--tier", options.tier, "--scale", "small", "--slow", options.slow, *arguments]
    subprocess.run(command, check=False)  # its last line tells how it went


def main():
    options = parse_arguments()
    print(f"vm: kernel {platform.release()}", flush=True)
    print(f"vm: {tier_line(options.binary, options.tier)}", flush=True)
    if options.netem:
        command = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", *options.netem.split()]
        subprocess.run(command, check=True)
    if options.machine:
        run_suite(options, "--tests", str(HERE))
    run_suite(options, "-k", options.pattern)


if __name__ == "__main__":
    main()
