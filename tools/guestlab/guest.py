# SPDX-License-Identifier: BSD-3-Clause
"""What every lab guest can do, whatever runs it. UmlGuest and QemuGuest add how to start one."""

import base64
import os
import shutil
import tempfile
import time
from pathlib import Path

from . import bridge
from .console import MAX_SCRIPT_BYTES, CommandChannel, Console
from .errors import CommandFailed, CommandTimeout, LabError
from .process import Process

MiB = 1 << 20
_CHUNK = 1200  # bytes of a file that fit into one request, after base64 twice
# Linux reports free memory two seconds after it became free, and sets up to 32 blocks of 4 MiB
# aside for as long as that takes, half of a small guest: a program that wants all that was free at
# that moment is killed for it, or init, which is a panic. Meanwhile there are no blocks large enough
# to report (page_reporting_order), where the kernel lets us; elsewhere it tries again.
_WRITE = """order=/sys/module/page_reporting/parameters/page_reporting_order
was=$(cat $order) && echo 11 2> /dev/null > $order && sleep 0.2
dd if=%s of=%s bs=1M count=%d 2>&1
status=$?
echo $was > $order
exit $status"""
_ATTEMPTS = 3
_KILLED = 128 + 9
# awk, since it is the one tool in busybox that writes to two files without a process a page.
_INTERLEAVE = """awk 'BEGIN {
  page = sprintf("%%4096s", "x")
  for (n = %d; n > 0; n--) { printf "%%s", page > "/tmp/kept"; printf "%%s", page > "/tmp/dropped" }
}'"""


class Guest:
    """A started guest. Use it as a context manager, or call kill() when done.

    Subclasses give: kind, boot_seconds, _command(), _environment() and ram_file().
    """

    kind = "?"
    boot_seconds = 60.0
    balloon_module = "virtio_balloon"

    def __init__(
        self,
        *,
        mem: int,
        socket: str | Path | None = None,
        load_balloon: bool = True,
        append: str = "",
        shell: bool = False,
    ):
        """@param mem     bytes.
        @param socket  of the daemon's device; None: no balloon device.
        @param append  more kernel arguments.
        @param shell   serve an interactive shell on the console, no command channel."""
        self.mem = mem
        self.socket = socket
        self.append = append
        self.settings = f"LAB_BALLOON={int(load_balloon)} LAB_SHELL={int(shell)}"
        self.folder = Path(tempfile.mkdtemp(prefix="guestlab-"))
        self.console = Console(self.folder / "console.log")
        self.channel = CommandChannel()
        self.process: Process | None = None
        self._start(shell)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    # Life

    def alive(self) -> bool:
        return self.process is not None and self.process.alive()

    def kill(self) -> None:
        """Ends the guest at once, as a power cut would. Harmless when it has ended already."""
        if self.process is not None:
            self.process.kill()
        self.channel.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def poweroff(self, timeout: float = 30) -> None:
        """Has the guest power itself off, and waits until its process has ended."""
        self._send_off("poweroff -f")
        if self.process.wait(timeout) is None:
            raise CommandTimeout(self._explain("poweroff", f"still runs after {timeout:g} s"))
        self.kill()

    def reboot(self, timeout: float | None = None) -> None:
        """Reboots the guest inside the same process, and waits until it serves commands again."""
        self._send_off("reboot -f")
        try:
            self.channel.wait_ready(timeout or self.boot_seconds)
        except LabError as error:
            raise type(error)(self._explain("reboot", str(error))) from None

    # Commands

    def run(self, command: str, timeout: float = 10) -> tuple[int, str]:
        """Runs a shell script in the guest. @return  its exit status and output, errors included.
        @errors  CommandTimeout: it did not end in time, and was killed in the guest."""
        script = command
        if len(command.encode()) > MAX_SCRIPT_BYTES:
            self.put("/run/long", command.encode())
            script = ". /run/long"
        try:
            answer = self.channel.run(script, timeout)
        except LabError as error:
            raise type(error)(self._explain(command, str(error))) from None
        return answer.status, answer.output

    def sh(self, command: str, timeout: float = 10) -> str:
        """Like run(), but the command has to succeed.
        @return  its output. @errors  CommandFailed"""
        status, output = self.run(command, timeout)
        if status:
            raise CommandFailed(self._explain(command, f"status {status}\n{output.rstrip()}"))
        return output

    def put(self, path: str, data: bytes) -> None:
        """Writes a file in the guest, small ones: it goes through the command channel."""
        self.sh(f": > {path}")
        for start in range(0, len(data), _CHUNK):
            text = base64.b64encode(data[start : start + _CHUNK]).decode()
            self.sh(f"echo {text} | base64 -d >> {path}")

    def load_balloon(self) -> None:
        """Loads virtio_balloon in a guest started with load_balloon=False."""
        self.sh(
            'while read -r m; do insmod "/lib/modules/$m.ko" || exit; done < /lib/modules/order'
        )

    def unload_balloon(self) -> None:
        """Unloads the driver: it deflates and resets its device."""
        self.sh(f"rmmod {self.balloon_module}", timeout=60)

    # Memory, as the guest sees it

    def meminfo(self) -> dict[str, int]:
        """/proc/meminfo in bytes, by its own names: MemTotal, MemFree, MemAvailable..."""
        return {
            words[0].rstrip(":"): int(words[1]) * (1024 if words[2:] else 1)
            for words in map(str.split, self.sh("cat /proc/meminfo").splitlines())
        }

    def vmstat(self) -> dict[str, int]:
        """/proc/vmstat, in its own units: balloon_inflate and balloon_deflate are pages."""
        return {
            name: int(value)
            for name, value in map(str.split, self.sh("cat /proc/vmstat").splitlines())
        }

    def touch_memory(self, amount: int | None = None, spare: int = 12 * MiB) -> int:
        """Writes to free memory and frees it again, so that the host has really allocated it.

        Without this, a balloon takes pages that the host never had to provide.
        @param amount  bytes; None: all that is free but `spare`. @return  bytes touched."""
        if amount is None:
            amount = self.meminfo()["MemFree"] - spare
        self.fill("/tmp/touched", amount)
        self.sh("rm /tmp/touched")
        return amount // MiB * MiB

    def fill(self, path: str, amount: int) -> None:
        """A file in the guest's tmpfs. Zeroes do: the guest writes each of its pages."""
        self._write(path, "/dev/zero", amount)

    def random_file(self, path: str, amount: int) -> str:
        """A file of random bytes in the guest's tmpfs. @return  its checksum()."""
        self._write(path, "/dev/urandom", amount)
        return self.checksum(path)

    def checksum(self, path: str) -> str:
        return self.sh(f"sha256sum {path}", timeout=120).split()[0]

    def fragment_memory(self, amount: int) -> None:
        """Leaves `amount` bytes of single free pages, each beside one that stays in use.

        Two files grow in step, a page each in turn, and one of them is removed."""
        self.sh(_INTERLEAVE % (amount // 4096) + " && rm /tmp/dropped", timeout=120)

    def defragment_memory(self) -> None:
        """Undoes fragment_memory()."""
        self.sh("rm -f /tmp/kept /tmp/dropped")

    # Memory, as the host sees it

    def ram_file(self) -> Path:
        """@return  a path under /proc that leads to the file behind the guest's RAM."""
        raise NotImplementedError

    def ram_blocks_bytes(self) -> int:
        """Host memory that the guest's RAM really takes up, in bytes."""
        return os.stat(self.ram_file()).st_blocks * 512

    def _write(self, path: str, source: str, amount: int) -> None:
        command = _WRITE % (source, path, amount // MiB)
        for left in reversed(range(_ATTEMPTS)):
            status, output = self.run(command, timeout=120)
            if status != _KILLED or not left:
                break
            self.sh(f"rm -f {path}")
        if status:
            raise CommandFailed(self._explain(command, f"status {status}\n{output.rstrip()}"))

    # For the subclasses

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def _find_ram_file(self, matches) -> Path:
        """@param matches  tells from a descriptor's link text whether it is the RAM."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        for entry in folder.iterdir():
            try:
                if matches(os.readlink(entry)):
                    return entry
            except FileNotFoundError:
                continue  # closed while we looked
        raise LabError(
            f"process {self.process.pid} ({self.kind}) has no RAM file open: has it booted?"
        )

    def _start(self, shell: bool) -> None:
        try:
            self._launch()
            if not shell:
                self.console.started()
                self._wait_booted()
        except BaseException:
            self.kill()
            raise

    def _launch(self) -> None:
        self.process = Process(
            self._command(),
            env=self._environment(),
            cwd=self.folder,
            pass_fds=(self.console.fileno(), self.channel.fileno()),
            stdin=self.console.fileno(),
            output=self.console.fileno(),
        )
        self.channel.started()

    def interact(self) -> None:
        """Joins the terminal to the console of a guest started with shell=True."""
        bridge.join_terminal(self.console.take())
        self.kill()

    def _wait_booted(self) -> None:
        try:
            self.channel.wait_ready(self.boot_seconds)
        except LabError as error:
            raise LabError(self._explain("boot", str(error))) from None

    def _send_off(self, command: str) -> None:
        """For a command after which the guest is not there to answer."""
        self.run(f"(sleep 0.2; {command}) > /dev/null 2>&1 &")

    def _explain(self, what: str, why: str) -> str:
        short = what if len(what) < 100 else what[:100] + "..."
        life = (
            "runs"
            if self.alive()
            else f"ended with status {getattr(self.process, 'returncode', '?')}"
        )
        return f"{self.kind} guest: {short}: {why}\n  (its process {life})\n{self.console.last_words()}"


def wait_until(condition, timeout: float, what: str, every: float = 0.05, found=None):
    """Polls until condition() is true. @return  what it answered. @errors  CommandTimeout
    @param found  called after a timeout; what it answers goes into the error."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            last = f"; found {found()}" if found else ""
            raise CommandTimeout(f"waited {timeout:g} s for {what}{last}")
        time.sleep(every)
    return answer


def enter_cgroup(folder: Path | None) -> list[str]:
    """What a command begins with that is to run there: the shell becomes it, so its process number
    stays, and no page is charged before."""
    if not folder:
        return []
    return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', f"{folder}/cgroup.procs"]
