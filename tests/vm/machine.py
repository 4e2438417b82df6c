"""A virtual machine that runs one command on another kernel, over this machine's own root.

QEMU emulates it in software, so it needs no rights and no hardware. The machine's clock counts its
instructions, one a nanosecond, while it has work, and follows the host's while it waits: to the
command the machine is about 8 times slower than a real one, however loaded the host is. Inside,
init.sh mounts the host's root read-only over 9p with a layer in memory over it: what the command
writes is gone at the end. Its output is streamed, its exit code handed back.
"""
import lzma
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import threading

from kernels import CACHE, ROOT, Unavailable, checked

INIT = pathlib.Path(__file__).with_name("init.sh")
# What it takes to reach the host's root and to answer it; all else is loaded from there.
MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
QEMU = "qemu-system-x86_64"
TIMED_OUT = 124  # as timeout(1) has it
NEVER_RAN = 125
CONSOLE_TAIL = 25

_running = set()


def end_all():
    """Ends every machine, of whichever thread."""
    for process in list(_running):
        process.kill()


def run(kernel, command, limit_s, output, errors, folder=None):
    """Runs a command (a list of words) in a folder. Returns its exit code, TIMED_OUT, or
    NEVER_RAN when the machine ended without one. `output` and `errors` get bytes as they come.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as scratch:
        scratch = pathlib.Path(scratch)
        image = scratch / "initramfs"
        image.write_bytes(base_image(kernel).read_bytes())
        with image.open("ab") as file:
            file.write(archive(scratch / "command", command_files(kernel, command, folder)))
        return boot(kernel, image, scratch / "console", limit_s, (output, errors))


def command_files(kernel, command, folder):
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    settings = [f"PATH={path}", "HOME=/root", "LANG=C.UTF-8", f"TERM={os.environ.get('TERM', '')}"]
    line = shlex.join(["exec", "env", "-i", *settings, *command])
    machine = {"project": ROOT, "modules": kernel.modules.resolve()}
    return {
        "command": f"cd {shlex.quote(str(folder or ROOT))} || exit\n{line}\n".encode(),
        "machine": "".join(
            f"{name}={shlex.quote(str(value))}\n" for name, value in machine.items()
        ).encode(),
    }


def base_image(kernel):
    """The part of the initramfs that all runs of a kernel share, made when anything in it is
    newer.
    """
    busybox = pathlib.Path(shutil.which("busybox") or "/bin/busybox").resolve()
    path = CACHE / "images" / f"{kernel.release}.cpio"
    sources = [busybox, INIT, pathlib.Path(__file__), kernel.modules / "modules.dep"]
    if path.exists() and all(path.stat().st_mtime > file.stat().st_mtime for file in sources):
        return path
    files = {"init": INIT.read_bytes(), "bin/busybox": busybox.read_bytes()}
    for number, module in enumerate(module_files(kernel)):
        data = module.read_bytes()
        name = re.sub(r"\.xz$", "", module.name)
        packed = name != module.name
        files[f"modules/{number:02d}-{name}"] = lzma.decompress(data) if packed else data
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        whole = archive(pathlib.Path(scratch) / "base", files)
        made = pathlib.Path(scratch) / "image"
        made.write_bytes(whole)
        made.rename(path)  # two runs at once never see half of it
    return path


def module_files(kernel):
    """The files of MODULES and of what they need, in the order in which they are to be loaded."""
    found = []
    for module in MODULES:
        base = ["modprobe", "-C", "/dev/null", "-d", str(kernel.folder), "-S", kernel.release]
        for line in checked([*base, "--show-depends", module]).splitlines():
            kind, _, rest = line.partition(" ")
            path = pathlib.Path(rest.strip())
            if kind == "insmod" and path not in found:
                found.append(path)
    return found


def archive(folder, files):
    """A cpio archive, as the kernel unpacks it, of these files (name: bytes)."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    done = subprocess.run(
        ["cpio", "--create", "--format=newc", "--owner=0:0", "--quiet"],
        input="\n".join(names).encode(),
        cwd=folder,
        capture_output=True,
        check=True,
    )
    return done.stdout


class Port:
    """A pipe out of the machine: what it carries goes to a file as it comes, and is kept if
    there is none.
    """

    def __init__(self, file=None):
        self.file = file
        self.kept = b""
        self.reading, self.writing = os.pipe()
        self.thread = threading.Thread(target=self._copy, daemon=True)
        self.thread.start()

    def _copy(self):
        while data := os.read(self.reading, 65536):
            if self.file is None:
                self.kept += data
            else:
                self.file.write(data)
                self.file.flush()

    def finish(self):
        """Once the machine has ended: everything that it wrote is copied."""
        os.close(self.writing)
        self.thread.join(10)
        os.close(self.reading)


def boot(kernel, image, console, limit_s, files):
    ports = [Port(file) for file in (*files, None)]
    # The machine ends with us even when nothing here can end it any more.
    command = ["setpriv", "--pdeathsig", "KILL", *qemu_command(kernel, image, console, ports)]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[port.writing for port in ports],
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be run: {error}") from error
    _running.add(process)
    timed_out = False
    complaints = b""
    try:
        complaints = process.communicate(timeout=limit_s)[1]
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        process.kill()
        process.wait()
        _running.discard(process)
        for port in ports:
            port.finish()
    told = ports[2].kept.strip()
    if told.isdigit():
        return int(told)
    said = complaints.decode(errors="replace").strip().splitlines()
    said += console.read_text(errors="replace").splitlines()[-CONSOLE_TAIL:]
    files[1].write("".join(f"vm: | {line}\n" for line in said).encode())
    end = f"was not done after {limit_s:.0f} s" if timed_out else "ended without an exit code"
    files[1].write(f"vm: the machine with {kernel.release} {end}\n".encode())
    return TIMED_OUT if timed_out else NEVER_RAN


def processors(kernel):
    """Before 6.5 the boot waits for the second processor in a way in which a clock that counts
    instructions does not move (tried: 6.1 never gets past it).
    """
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", kernel.release).groups())
    return 2 if (major, minor) >= (6, 5) else 1


def qemu_command(kernel, image, console, ports):
    # panic=-1 and -no-reboot: a kernel that panics ends the machine at once.
    append = "console=ttyS0 loglevel=5 panic=-1 rdinit=/init init_on_alloc=0 mitigations=off"
    command = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    command += ["-accel", "tcg,thread=single,tb-size=512", "-icount", "shift=0,sleep=on"]
    command += ["-cpu", "max", "-smp", str(processors(kernel)), "-m", "2048"]
    command += ["-kernel", str(kernel.image), "-initrd", str(image), "-append", append]
    command += ["-serial", f"file:{console}"]
    command += ["-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"]
    command += ["-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]
    command += ["-device", "virtio-serial-pci"]
    for number, port in enumerate(ports, start=1):
        command += ["-chardev", f"file,id=port{number},path=/dev/fd/{port.writing}"]
        command += ["-device", f"virtserialport,chardev=port{number},nr={number}"]
    return command
