# SPDX-License-Identifier: BSD-3-Clause
"""A systemd that is PID 1 of namespaces of its own: with its own /run, /tmp, /var and /etc, its own
processes, network and control groups. The machine's systemd, if it has one, is not talked to."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from control_group import ControlGroup, why_none

_SYSTEMD = Path("/lib/systemd/systemd")
_UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts", "--net"]

# What a service waits for by itself. There is nothing to be done for any of them.
_TARGETS = ("test", "sysinit", "basic", "shutdown", "local-fs", "local-fs-pre", "umount", "swap")
# /tmp comes last, because what is bound to the other places lies in it.
_INSIDE = """
set -e
mount --make-rprivate /
for folder in etc %(prefixes)s; do mount --bind "$1/$folder" "/$folder"; done
mount -t tmpfs none /run
mount -t tmpfs none /var
mount -t tmpfs none /tmp
mkdir -p /var/log /var/tmp
mount -t cgroup2 none /sys/fs/cgroup
exec env -i container=vballoon PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
  SYSTEMD_UNIT_PATH=/etc/units SYSTEMD_GENERATOR_PATH=/etc/none \\
  %(systemd)s --system --unit=test.target --show-status=no
"""


def why_not() -> str:
    """@return  the reason why there can be none; empty where there can."""
    if os.geteuid() != 0:
        return "only root can make the namespaces"
    if not _SYSTEMD.exists():
        return f"no {_SYSTEMD}"
    for program in ("unshare", "nsenter", "systemctl", "systemd-sysusers"):
        if shutil.which(program) is None:
            return f"no {program}"
    if why_none():
        return why_none()
    tried = subprocess.run([*_UNSHARE, "--cgroup", "--mount-proc", "true"], capture_output=True)
    return "" if tried.returncode == 0 else tried.stderr.decode().strip()


class Machine:
    def __init__(self, build: Path):
        """@param build  whose `meson install` it has."""
        self.folder = Path(tempfile.mkdtemp(prefix="vbs-"))
        self.group = ControlGroup("vballoon")
        self._install(build)
        self._settle_etc()
        self._process: subprocess.Popen | None = None

    def __enter__(self):
        self.group.make()
        inside = _INSIDE % {"prefixes": " ".join(self._installed), "systemd": _SYSTEMD}
        with open(self.folder / "systemd.log", "ab") as log:
            self._process = subprocess.Popen(
                [*_UNSHARE, "--cgroup", "--mount-proc", "sh", "-c", inside, "sh", self.folder],
                preexec_fn=self.group.enter,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait(lambda: self._children() or self._process.poll() is not None, "no PID 1")
            self._wait(self._answers, "systemd does not answer")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.kill()  # and by --kill-child PID 1, with which the kernel ends all others
        self._process.wait()
        self.group.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    # In there

    def start(self, *command, **options) -> subprocess.Popen:
        return subprocess.Popen(self._command(command), text=True, **options)

    def run(self, *command, timeout: float = 60) -> subprocess.CompletedProcess:
        return subprocess.run(self._command(command), capture_output=True, text=True,
                              timeout=timeout)

    def path(self, path: str) -> Path:
        """A file of its own, as one from outside reaches it."""
        return Path(f"/proc/{self._first()}/root{path}")

    # Private

    def _command(self, command) -> list[str]:
        first = str(self._first())
        return ["nsenter", "--target", first, "--mount", "--pid", "--ipc", "--uts", "--net",
                "--cgroup", "--", *map(str, command)]

    def _children(self) -> list[str]:
        unshare = self._process.pid
        return Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()

    def _first(self) -> int:
        """Its PID 1, by its number out here."""
        children = self._children()
        if not children:
            raise RuntimeError("it ended:\n" + self.log())
        return int(children[0])

    def _answers(self) -> bool:
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state not in ("", "offline", "unknown")

    def log(self) -> str:
        return (self.folder / "systemd.log").read_text(errors="replace")

    def _wait(self, condition, what: str, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} after {timeout:g} s:\n{self.log()}")
            time.sleep(0.05)

    def _install(self, build: Path) -> None:
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet",
                        "--destdir", self.folder], check=True, stdout=subprocess.DEVNULL)
        # Folders that hide the machine's of the same name.
        self._installed = [name for name in ("usr/local/sbin", "usr/local/bin", "usr/local/etc")
                           if (self.folder / name).is_dir()]

    def _settle_etc(self) -> None:
        """A copy of the machine's, with the service and its user. Nothing else is started."""
        etc = self.folder / "etc"
        etc.mkdir(exist_ok=True)
        for path in Path("/etc").iterdir():
            if not (etc / path.name).exists() and path.name not in ("fstab", "systemd"):
                subprocess.run(["cp", "--archive", path, etc], check=False,
                               stderr=subprocess.DEVNULL)
        units = etc / "units"
        units.mkdir()
        for name in _TARGETS:
            (units / f"{name}.target").write_text("[Unit]\n")
        for unit in self.folder.glob("**/systemd/system/vballoon*.service"):
            shutil.copy(unit, units)
        users = next(self.folder.glob("**/sysusers.d/vballoon.conf"))
        subprocess.run(["systemd-sysusers", f"--root={self.folder}", users], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
