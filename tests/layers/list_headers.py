#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/list_headers.py - the public headers of one layer, one a line, as they are included.
"""list_headers.py INCLUDE_FOLDER"""

import sys
from pathlib import Path

folder = Path(sys.argv[1])
for header in sorted(folder.rglob("*.hpp")):
    print(header.relative_to(folder).as_posix())
