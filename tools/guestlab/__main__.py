# SPDX-License-Identifier: BSD-3-Clause
"""python3 -m guestlab uml|qemu: an interactive shell in a lab guest. Run with PYTHONPATH=tools."""

import argparse
import sys

from .errors import LabError
from .guest import MiB
from .qemu import QemuGuest
from .uml import UmlGuest


def main() -> int:
    options = _parse()
    arguments = {
        "mem": options.mem,
        "socket": options.socket,
        "append": options.append,
        "load_balloon": not options.no_balloon,
        "shell": True,
    }
    try:
        guest = (
            UmlGuest(tmpdir=options.tmpdir, **arguments)
            if options.kind == "uml"
            else (QemuGuest(builtin_balloon=options.builtin_balloon, **arguments))
        )
        guest.interact()
    except LabError as error:
        print(f"guestlab: {error}", file=sys.stderr)
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="guestlab", description="An interactive shell in a lab guest."
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    uml = kinds.add_parser("uml", help="User Mode Linux")
    uml.add_argument(
        "--tmpdir", default="/dev/shm", help="where the RAM file is kept (%(default)s)"
    )
    qemu = kinds.add_parser("qemu", help="QEMU under TCG")
    qemu.add_argument("--builtin-balloon", action="store_true", help="QEMU's own balloon device")
    for kind in (uml, qemu):
        kind.add_argument("--mem", type=_size, default="256M", help="guest memory (%(default)s)")
        kind.add_argument(
            "--socket", help="vhost-user socket of the daemon's device; none: no balloon"
        )
        kind.add_argument("--append", default="", help="more kernel arguments")
        kind.add_argument("--no-balloon", action="store_true", help="do not load virtio_balloon")
    return parser.parse_args()


def _size(text: str) -> int:
    units = {"M": MiB, "G": MiB * 1024}
    if text[-1:].upper() not in units or not text[:-1].isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not a size: write 256M or 1G")
    return int(text[:-1]) * units[text[-1].upper()]


sys.exit(main())
