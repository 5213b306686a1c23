# SPDX-License-Identifier: BSD-3-Clause
"""A daemon with a balloon of each kind, named after the kinds: stock, and large pages."""

from pathlib import Path

from .daemon import Daemon

KINDS = ("stock", "large")
_DEVICES = """
[[device]]
name = "stock"
socket = "{stock}"
reporting = false  # else the guest's free memory goes back without a balloon

[[device]]
name = "large"
socket = "{large}"
kind = "large"
page_sizes = "{sizes}"
effort = 2
"""


def daemon_of_both(folder: Path, sizes: str, settings: str = "") -> Daemon:
    """@param sizes  of the large balloon's pages. @param settings  more of the configuration."""
    config = folder / "vballoond.toml"
    daemon = Daemon(folder, devices=(), arguments=("--config", str(config)))
    sockets = {kind: daemon.socket(kind) for kind in KINDS}
    config.write_text(settings + _DEVICES.format(sizes=sizes, **sockets))
    return daemon
