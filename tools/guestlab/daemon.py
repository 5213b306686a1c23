# SPDX-License-Identifier: BSD-3-Clause
"""Starts the vballoond that was built here, mostly in its development profile, and talks to it."""

import os
import signal
import subprocess
import time
from pathlib import Path

from .errors import CommandTimeout, LabError
from .process import Process
from .rpc import RpcClient

_PROJECT = Path(__file__).resolve().parents[2]


def built(name: str, folder: str = "") -> Path:
    """Path of a program of the build in $VBALLOON_BUILD, else build/. @errors  LabError
    @param folder  of the build; empty: that of the program of that name."""
    build = Path(os.environ.get("VBALLOON_BUILD") or _PROJECT / "build").absolute()
    path = build / (folder or f"app/{name}") / name
    if not path.exists():
        raise LabError(
            f"no {path}: run 'meson setup build && ninja -C build', or set VBALLOON_BUILD"
        )
    return path


class Daemon:
    """A running vballoond. Its folder holds the RPC socket, the devices' sockets and the log."""

    def __init__(
        self,
        folder: Path,
        devices: tuple[str, ...] = ("vm1",),
        arguments: tuple[str, ...] = (),
        kept: bool = False,
        production: bool = False,
    ):
        """@param folder     short: the path of a UNIX socket has at most 107 bytes.
        @param devices    names; the socket of one is self.socket(name).
        @param arguments  more of them for the daemon.
        @param kept       under vballoon-keeper, which starts it again: see replace().
        @param production in its production profile, with its runtime folder in this one."""
        self.kept = kept
        self.production = production
        self.folder = Path(folder)
        self.devices = devices
        self.arguments = arguments
        self.log = self.folder / "vballoond.log"
        self.rpc_socket = self.folder / "rpc.sock"
        self._rpc = RpcClient(self.rpc_socket)
        self.process: Process | None = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    # Life

    def start(self, timeout: float = 30) -> None:
        """Returns when the RPC socket answers. @errors  LabError with the end of the log"""
        profile = () if self.production else ("--dev",)
        command = [built("vballoond"), *profile, "--rpc", self.rpc_socket, *self.arguments]
        env = {**os.environ, "RUNTIME_DIRECTORY": str(self.folder)} if self.production else None
        if self.kept:
            keeper = [built("vballoon-keeper"), "--longest-pause", "0.02", "--steady", "0", "--"]
            command = keeper + command + ["--state", self.folder / "state"]
        for name in self.devices:
            command += ["--device", f"{name}={self.socket(name)}"]
        with open(self.log, "ab") as log:
            self.process = Process(command, env=env, output=log, cwd=self.folder)
        deadline = time.monotonic() + timeout
        while not self._answers():
            if not self.alive():
                raise LabError(
                    self._explain(f"ended at start with status {self.process.returncode}")
                )
            if time.monotonic() > deadline:
                self.kill()
                raise LabError(
                    self._explain(f"does not answer on its RPC socket after {timeout:g} s")
                )
            time.sleep(0.05)

    def alive(self) -> bool:
        return self.process is not None and self.process.alive()

    def stop(self, timeout: float = 15) -> None:
        """SIGTERM. @errors  LabError: slow, exit status not 0, or a socket left behind."""
        self._rpc.close()
        self.process.send(signal.SIGTERM)
        status = self.process.wait(timeout)
        if status is None:
            self.kill()
            raise LabError(self._explain(f"still runs {timeout:g} s after SIGTERM"))
        if status:
            raise LabError(self._explain(f"exit status {status} after SIGTERM, 0 wanted"))
        left = [path.name for path in self.folder.iterdir() if path.is_socket()]
        if left:
            raise LabError(self._explain(f"left its sockets behind: {', '.join(left)}"))

    def kill(self) -> None:
        """SIGKILL. Harmless when it does not run."""
        self._rpc.close()
        if self.process is not None:
            self.process.kill()

    def replace(self, number: int = signal.SIGKILL, timeout: float = 30) -> None:
        """Ends the daemon by this signal, and waits for the next one. @pre  kept"""
        old = self._kept_pid()
        self._rpc.close()
        os.kill(old, number)
        deadline = time.monotonic() + timeout
        while self._kept_pid() in (None, old) or not self._answers():
            if time.monotonic() > deadline:
                raise LabError(self._explain(f"no next daemon after {timeout:g} s"))
            time.sleep(0.01)

    def ctl(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess:
        """Runs vballoonctl against this daemon."""
        command = [built("vballoonctl"), "--rpc", self.rpc_socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)

    # Devices

    def socket(self, name: str) -> Path:
        return self.folder / f"{name}.sock"

    def rpc(self, method: str, **params):
        """@errors  RpcError; LabError when there is no daemon to answer"""
        try:
            return self._rpc.call(method, **params)
        except OSError as error:
            raise LabError(self._explain(f"{method}: {error}")) from None

    def show(self, name: str) -> dict:
        return self.rpc("device.show", name=name)

    def lcores(self) -> list[dict]:
        return self.rpc("lcore.list")["lcores"]

    def counters(self, name: str) -> dict[str, int]:
        return self.show(name)["counters"]

    def stats(self, name: str) -> dict:
        """@return  fresh (bool) and stats: total_bytes, free_bytes, available_bytes..., age_ms"""
        return self.rpc("device.stats", name=name)

    def set_target(self, name: str, amount: int) -> None:
        """@param amount  bytes the balloon shall hold, however little that leaves to the guest."""
        self.rpc("device.set", name=name, target_bytes=amount, force=True)

    def wait_for_actual(self, name: str, amount: int, timeout: float = 60) -> dict:
        """Waits until the guest reports a balloon of `amount` bytes. @return  the last show()"""
        return self.wait_for(name, "actual_bytes", amount, timeout)

    def wait_for_state(self, name: str, state: str, timeout: float = 60) -> dict:
        """@param state  waiting | connected | running | stopped. @return  the last show()"""
        return self.wait_for(name, "state", state, timeout)

    def resize(self, name: str, amount: int, timeout: float = 60) -> dict:
        """Sets the target and waits until it is reached. @return  the last show()"""
        self.set_target(name, amount)
        return self.wait_for_actual(name, amount, timeout)

    def wait_for(self, name: str, key: str, wanted, timeout: float) -> dict:
        """Waits until show(name)[key] == wanted.
        @return  the last show(). @errors  CommandTimeout"""
        deadline = time.monotonic() + timeout
        while (shown := self.show(name))[key] != wanted:
            if time.monotonic() > deadline:
                late = f"{name}: {key} is {shown[key]}, not {wanted}, after {timeout:g} s"
                raise CommandTimeout(self._explain(f"{late}\n  {shown}"))
            time.sleep(0.05)
        return shown

    # Private

    def _kept_pid(self) -> int | None:
        keeper = self.process.pid
        children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        return int(children[0]) if children else None

    def _answers(self) -> bool:
        try:
            self._rpc.call("device.list")
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def _explain(self, what: str) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        tail = "\n".join(f"  vballoond| {line}" for line in text.splitlines()[-15:])
        return f"vballoond: {what}\n{tail or '  vballoond| (its log is empty)'}"
