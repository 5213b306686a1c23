# SPDX-License-Identifier: BSD-3-Clause
"""A Debian 12 of the tests' own, below a temporary folder. What runs in there has its own mounts
and processes, all of which end with the command. systemd can be its first process."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from control_group import ControlGroup

CACHE = Path(os.environ.get("VBALLOON_CACHE")
             or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vballoon")
_UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
# /run is a folder of the root, so that what one command makes in there the next one finds.
_ENTER = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc none "$1/proc"
mount -t sysfs none "$1/sys"
mount --rbind /dev "$1/dev"
cd "$1"
root=$1
shift
exec env -i DEBIAN_FRONTEND=noninteractive HOME=/root LC_ALL=C.UTF-8 \\
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"
"""
_BOOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc none "$1/proc"
mount -t sysfs none "$1/sys"
mount -t cgroup2 none "$1/sys/fs/cgroup"
mount --rbind /dev "$1/dev"
mount -t tmpfs none "$1/run"
mkdir -p "$1/mnt/old"
cd "$1"
pivot_root . mnt/old
umount -l /mnt/old
exec env -i container=vballoon PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --system --unit=vballoon-test.target --show-status=no
"""


class Debian:
    """Use as a context: at its end nothing is left."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="vballoon-debian-"))

    def __enter__(self):
        subprocess.run(["tar", "-xf", CACHE / "debian-12/root.tar", "-C", self.folder], check=True)
        shutil.copy("/etc/resolv.conf", self.path("/etc/resolv.conf"))
        self.check("apt-get", "-q", "update")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def path(self, path: str) -> Path:
        """A file of its own, as one from outside reaches it."""
        return Path(f"{self.folder}{path}")

    def command(self, *words) -> list[str]:
        return [*_UNSHARE, "sh", "-c", _ENTER, "sh", str(self.folder), *map(str, words)]

    def start(self, *words, **options) -> subprocess.Popen:
        return subprocess.Popen(self.command(*words), text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **options)

    def run(self, *words, timeout: float = 600) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*words), text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)

    def check(self, *words, **more) -> str:
        """@return  what the command printed; it must succeed."""
        done = self.run(*words, **more)
        assert done.returncode == 0, f"{' '.join(map(str, words))}:\n{done.stdout}"
        return done.stdout

    def bring(self, package: Path) -> str:
        """A package from outside; @return its path in there."""
        shutil.copy(package, self.path("/var/tmp"))
        return f"/var/tmp/{package.name}"

    def install(self, package: Path, *more: str) -> str:
        """A package from outside, with all that it depends on, and others by their names. Nobody
        answers dpkg's question about a changed configuration; the answer is its default."""
        return self.check("apt-get", "-q", "-y", "--no-install-recommends",
                          "-o", "Dpkg::Options::=--force-confdef",
                          "-o", "Dpkg::Options::=--force-confold",
                          "install", self.bring(package), *more)

    def files(self) -> set[str]:
        """All paths, but for those that any installation leaves: lists, logs and caches."""
        noise = ("/var/lib/apt/", "/var/lib/dpkg/", "/var/cache/", "/var/log/", "/var/tmp/",
                 "/tmp/")
        found = set()
        for folder, folders, names in os.walk(self.folder):
            inside = folder[len(str(self.folder)):]
            found |= {f"{inside}/{name}" for name in (*folders, *names)}
        return {path for path in found if not path.startswith(noise)}


class Systemd:
    """systemd as the first process of such a Debian; nothing but what is asked for is started."""

    def __init__(self, debian: Debian):
        self.debian = debian
        self.group = ControlGroup("vballoon-packages")
        target = debian.path("/etc/systemd/system/vballoon-test.target")
        target.write_text("[Unit]\nDescription=nothing\n")

    def __enter__(self):
        self.group.make()
        self.log = open(self.debian.path("/var/log/systemd"), "ab")
        self._process = subprocess.Popen(
            [*_UNSHARE, "--ipc", "--uts", "--net", "--cgroup", "sh", "-c", _BOOT, "sh",
             str(self.debian.folder)],
            preexec_fn=self.group.enter,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.kill()  # and by --kill-child PID 1, with which the kernel ends all others
        self._process.wait()
        self.log.close()
        self.group.remove()
        self.debian.path("/etc/systemd/system/vballoon-test.target").unlink()

    def command(self, *words) -> list[str]:
        first = str(self._first())
        return ["nsenter", "--target", first, "--mount", "--pid", "--ipc", "--uts", "--net",
                "--cgroup", "--", "env", "-i", "DEBIAN_FRONTEND=noninteractive",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *map(str, words)]

    def run(self, *words, timeout: float = 120) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*words), text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)

    def check(self, *words) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{' '.join(map(str, words))}:\n{done.stdout}"
        return done.stdout.strip()

    def start(self, *words) -> subprocess.Popen:
        return subprocess.Popen(self.command(*words), text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    # Private

    def _first(self) -> int:
        """Its first process, by its number out here."""
        unshare = self._process.pid
        children = Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()
        assert children, self.debian.path("/var/log/systemd").read_text()
        return int(children[0])

    def _wait(self):
        deadline = time.monotonic() + 30
        said = ""
        while time.monotonic() < deadline:
            if Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text():
                said = self.run("systemctl", "is-system-running").stdout.strip()
                if said in ("running", "degraded", "starting"):
                    return
            time.sleep(0.1)
        log = self.debian.path("/var/log/systemd").read_text()
        raise AssertionError(f"systemd does not answer ({said}):\n{log}")
