# SPDX-License-Identifier: BSD-3-Clause
"""Joins the developer's terminal to a guest's console."""

import contextlib
import os
import select
import socket
import sys
import termios
import tty

_ESCAPE = b"\x1d"  # Ctrl-]


def join_terminal(console: socket.socket) -> None:
    """Until the guest is gone, Ctrl-] is typed, or standard input ends."""
    stdin = sys.stdin.fileno()
    with console, _raw(stdin):
        watched = [stdin, console]
        while True:
            ready = select.select(watched, [], [])[0]
            if console in ready and not _to_screen(console):
                return
            if stdin in ready:
                typed = os.read(stdin, 1024)
                if _ESCAPE in typed:
                    return
                if typed:
                    console.sendall(typed)
                else:
                    watched.remove(stdin)  # a script has ended; the guest goes on to its own end


def _to_screen(console: socket.socket) -> bool:
    try:
        data = console.recv(65536)
    except ConnectionError:
        return False
    os.write(1, data)
    return bool(data)


@contextlib.contextmanager
def _raw(fd: int):
    if not os.isatty(fd):
        yield
        return
    saved = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, saved)
