"""Debian's kernels: found in the archive, downloaded and unpacked into build/vm, never installed.

apt does the finding, checking and downloading, with lists, sources and cache of its own below
build/vm, so that the machine's apt sees nothing of it; only the archive's address and its proxy
settings come from the machine. The cloud images are smaller, but lack 9p.
"""
import dataclasses
import fcntl
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build/vm"
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The names that scripts/vm knows, oldest first, and the suite whose current kernel each one is.
SUITES = {"6.1": "bookworm", "6.12": "trixie", "newest": "trixie-backports"}
META = "linux-image-amd64"
COMMAND_LIMIT_S = 300


class Unavailable(Exception):
    """What the machine needs cannot be had here; the text says what and why."""


@dataclasses.dataclass(frozen=True)
class Kernel:
    """An unpacked kernel: what boots, and the folder that holds lib/modules/RELEASE."""

    name: str
    release: str
    image: pathlib.Path
    folder: pathlib.Path

    @property
    def modules(self):
        return self.folder / "lib/modules" / self.release


def find(name):
    """The kernel of a name in SUITES, fetched if need be, or the one in a folder."""
    if name in SUITES:
        folder = CACHE / "kernels" / name
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be fetching it
            if not (folder / "complete").exists():
                fetch(name, folder)
        return in_folder(name, folder)
    folder = pathlib.Path(name)
    if not folder.is_dir():
        raise Unavailable(f"{name} is none of {', '.join(SUITES)}, and no folder with a kernel")
    return in_folder(name, folder.resolve())


def in_folder(name, folder):
    images = [*folder.glob("boot/vmlinuz-*"), *folder.glob("usr/lib/modules/*/vmlinuz")]
    if len(images) != 1:
        raise Unavailable(f"{folder} has {len(images)} kernels (boot/vmlinuz-RELEASE), not one")
    image = images[0]
    release = image.parent.name if image.name == "vmlinuz" else image.name.split("-", 1)[1]
    kernel = Kernel(name, release, image, folder)
    if not (kernel.modules / "modules.dep").exists():
        raise Unavailable(f"{kernel.modules} has no modules.dep; run: depmod -b {folder} {release}")
    return kernel


def fetch(name, folder):
    """Downloads and unpacks the current kernel of a suite; the last step marks it complete."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    apt = Apt(SUITES[name])
    apt.run("apt-get", "--quiet", "update")
    packages = apt.packages_of_kernel()
    print(f"vm: downloading {' '.join(packages)}", flush=True)
    downloads = folder / "downloads"
    downloads.mkdir()
    apt.run("apt-get", "--quiet", "download", *packages, cwd=downloads)
    for package in downloads.iterdir():
        checked(["dpkg", "-x", str(package), str(folder)])
    shutil.rmtree(downloads)
    # Newer packages have lib/modules below usr; depmod looks in one place or the other.
    if (folder / "usr/lib/modules").is_dir():
        (folder / "lib").symlink_to("usr/lib")
    else:
        (folder / "usr/lib").mkdir(parents=True, exist_ok=True)
        (folder / "usr/lib/modules").symlink_to("../../lib/modules")
    release = next((folder / "lib/modules").iterdir()).name
    checked(["depmod", "-b", str(folder), release])
    shutil.rmtree(apt.folder)
    (folder / "complete").touch()


class Apt:
    """apt with the one suite that a kernel comes from, and everything that it writes in the
    cache.
    """

    def __init__(self, suite):
        self.folder = CACHE / "apt" / suite
        for name in ("lists/partial", "archives/partial", "sources", "preferences"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "sources/suite.sources").write_text(
            f"Types: deb\nURIs: {archive_uri()}\nSuites: {suite}\nComponents: main\n"
            f"Architectures: amd64\nSigned-By: {KEYRING}\n"
        )

    def run(self, command, *arguments, cwd=None):
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.folder / "sources",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": self.folder / "preferences",
            "Dir::State": self.folder,
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.folder,
            "Acquire::Languages": "none",
            "APT::Update::Error-Mode": "any",
            "APT::Architecture": "amd64",
            # Its own user may not write below a home folder.
            "APT::Sandbox::User": "root",
        }
        options = [text for key, value in settings.items() for text in ("-o", f"{key}={value}")]
        return checked([command, *options, *arguments], cwd=cwd)

    def packages_of_kernel(self):
        """The image that the metapackage depends on. Newer ones are only a bracket around parts."""
        image = self.depends(META, r"linux-image-\d")
        if not image:
            raise Unavailable(f"{META} of the suite names no kernel")
        parts = self.depends(image[0], r"linux-(?:base|binary|modules)-\d")
        return parts or image

    def depends(self, package, pattern):
        shown = self.run("apt-cache", "show", "--no-all-versions", package)
        depends = re.search(r"^Depends: (.*)$", shown, re.M)
        names = [part.split()[0] for part in depends[1].split(",")] if depends else []
        return [name for name in names if re.match(pattern, name)]


def archive_uri():
    """The address of Debian's archive, as the machine's own apt sources have it."""
    fields = "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(CODENAME)|$(COMPONENT)"
    if not shutil.which("apt-get") or not KEYRING.exists():
        raise Unavailable("the kernels come with apt from Debian's archive, and this is no Debian")
    listed = checked(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"])
    for line in listed.splitlines():
        uri, *kind = line.split("|")
        if kind[:2] == ["Debian", "Debian"] and kind[2:] in (
            ["bookworm", "main"],
            ["trixie", "main"],
        ):
            return uri
    raise Unavailable("the apt sources have no entry for Debian's archive, or apt has no lists yet")


def checked(command, cwd=None):
    """Runs a command and returns what it prints; Unavailable with its last words if it fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise Unavailable(f"{command[0]} failed: {' '.join(words)}")
    return done.stdout
