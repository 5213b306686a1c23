# SPDX-License-Identifier: BSD-3-Clause
"""Runs one command and sees to it that nothing of it outlives its caller.

usage: reaper.py CONTROL_FD COMMAND [ARGUMENT...]

User Mode Linux is a tree of processes: its kernel traces one process per guest address
space, and those survive a killed kernel. So this process makes itself the one to which
orphans fall, and kills until it has no child left: when the command ends, and when the
other end of CONTROL_FD closes (the caller has died, by SIGKILL even).
Each byte that arrives on CONTROL_FD is a signal for the command: only its parent can be sure
that the process number is not another's by now.
Says "pid N" and at last "exit STATUS" on CONTROL_FD; STATUS is negative for a signal.
"""

import ctypes
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    control, command = int(sys.argv[1]), sys.argv[2:]
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    pid = _start(control, command)
    _let_go_of_everything_but(control)
    _say(control, f"pid {pid}")
    status = _wait(control, pid)
    _kill_descendants()
    _say(control, f"exit {status}")


def _start(control: int, command: list[str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.close(control)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127)


def _let_go_of_everything_but(control: int) -> None:
    """Else the pipes and sockets meant for the command would never see their end."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, control)
    os.closerange(control + 1, 1 << 20)


def _wait(control: int, pid: int) -> int:
    """Until the command ends or the caller is gone. @return  the command's status."""
    watch = select.poll()
    ended = os.pidfd_open(pid)
    watch.register(ended, select.POLLIN)
    watch.register(control, select.POLLIN)
    while True:
        ready = dict(watch.poll())
        if control in ready:
            asked = os.read(control, 64)
            for number in asked or [signal.SIGKILL]:
                os.kill(pid, number)
            if not asked:
                watch.unregister(control)
        if ended in ready:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _kill_descendants() -> None:
    """Orphans become our children level by level; go on until there is none."""
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _children() -> list[int]:
    own, found = os.getpid(), []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", "rb") as stat:
                parent = int(stat.read().rsplit(b")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == own:
            found.append(int(entry))
    return found


def _say(control: int, line: str) -> None:
    try:
        os.write(control, line.encode() + b"\n")
    except OSError:
        pass  # the caller is gone; the work goes on without it


main()
