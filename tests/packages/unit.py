# SPDX-License-Identifier: BSD-3-Clause
"""A systemd unit, as far as it is needed to start its service without systemd."""

import re


class Unit:
    def __init__(self, text: str):
        joined = re.sub(r"\\\n\s*", "", text)
        self._values = dict(re.findall(r"^(\w+)=(.*)$", joined, re.MULTILINE))

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def folders(self) -> list[list[str]]:
        """Commands that make what systemd would have made before."""
        return [["install", "-d", "-m", self["RuntimeDirectoryMode"], "-o", self["User"],
                 "-g", self["Group"], f"/run/{self['RuntimeDirectory']}"]]

    def command(self) -> list[str]:
        """What starts the service, with the unit's user, group, mask and no capability."""
        return ["setpriv", f"--reuid={self['User']}", f"--regid={self['Group']}", "--clear-groups",
                "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--",
                "sh", "-c", f"umask {self['UMask']}; exec {self['ExecStart']}"]
