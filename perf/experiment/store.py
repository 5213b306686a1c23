# SPDX-License-Identifier: BSD-3-Clause
"""Keeps each run once it is done: an hour of them can be broken off and gone on with."""

import dataclasses
import hashlib
import json
from pathlib import Path

from .plan import Plan
from .run import Outcome


class Store:
    def __init__(self, path: Path, plan: Plan, disk: str, programs: list[Path]):
        """@param programs  what is measured: a run by others is not of the same kind."""
        self._path = path
        kind = dataclasses.asdict(plan) | {"disk": disk, "runs": None}
        digest = hashlib.sha256(json.dumps(kind, sort_keys=True).encode())
        for program in programs:
            digest.update(program.read_bytes())
        self._kept = {"kind": digest.hexdigest(), "runs": {}}

    def load(self) -> int:
        """@return  how many runs of this kind there are already."""
        try:
            kept = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return 0
        if kept.get("kind") == self._kept["kind"]:
            self._kept = kept
        return len(self._kept["runs"])

    def find(self, title: str) -> Outcome | None:
        found = self._kept["runs"].get(title)
        return found and Outcome(found["figures"], found["samples"])

    def keep(self, title: str, outcome: Outcome) -> None:
        self._kept["runs"][title] = dataclasses.asdict(outcome)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._kept))
        fresh.replace(self._path)
