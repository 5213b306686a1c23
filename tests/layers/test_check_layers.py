#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/test_check_layers.py - the check finds what it is there to find.
"""Builds small trees with one fault each and expects one complaint about it."""

import tempfile
import unittest
from pathlib import Path

import check_layers


class CheckLayers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for layer in check_layers.LAYERS:
            self.write(f"lib/{layer}/include/{layer}/all.hpp", "")
        for app in check_layers.APPS:
            self.write(f"app/{app}/main.cpp", "")

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def expect(self, words, path, text):
        """One complaint, naming the file and these words; none where words is None."""
        self.write(path, text)
        complaints = check_layers.check(self.root)
        if words is None:
            self.assertEqual(complaints, [])
            return
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn(words, complaints[0])
        self.assertIn(path, complaints[0])

    def test_a_clean_tree_has_no_complaints(self):
        self.expect(None, "lib/device/a.cpp",
                    '#include "base/all.hpp"\n#include "device/all.hpp"\n#include <vector>\n')

    def test_an_upward_include(self):
        self.expect("gmem may not include virtq", "lib/gmem/a.cpp", '#include "virtq/all.hpp"\n')

    def test_an_include_of_a_layer_beside(self):
        self.expect(
            "virtq may not include reclaim", "lib/virtq/a.cpp", '#include "reclaim/all.hpp"\n'
        )

    def test_the_driver_in_the_daemon(self):
        self.expect("vballoond may not include driver", "app/vballoond/main.cpp",
                    '  #  include "driver/all.hpp"\n')

    def test_the_driver_in_a_layer_of_the_daemon(self):
        self.expect(
            "control may not include driver", "lib/control/a.cpp", '#include "driver/all.hpp"\n'
        )

    def test_rte_vhost_outside_vhost(self):
        self.expect(
            "poll may not include <rte_vhost.h>", "lib/poll/a.cpp", "#include <rte_vhost.h>\n"
        )

    def test_dpdk_where_it_may_be(self):
        for layer in ("poll", "control", "vhost"):
            self.expect(None, f"lib/{layer}/a.cpp", "#include <rte_pause.h>\n")

    def test_dpdk_where_it_may_not_be(self):
        self.expect(
            "device may not include <rte_ring.h>", "lib/device/a.cpp", "#include <rte_ring.h>\n"
        )

    def test_dpdk_in_a_public_header(self):
        self.expect("public header", "lib/poll/include/poll/a.hpp", "#include <rte_pause.h>\n")

    def test_other_libraries_in_wrong_places(self):
        for header, layer in (("asio.hpp", "rpc"), ("asio/io_context.hpp", "vhost"),
                              ("nlohmann/json.hpp", "balloon"), ("toml++/toml.h", "policy"),
                              ("CLI/CLI.hpp", "control"), ("hwloc.h", "control"),
                              ("gtest/gtest.h", "base"), ("boost/any.hpp", "base")):
            with self.subTest(header=header):
                self.expect(f"<{header}>", f"lib/{layer}/a.cpp", f"#include <{header}>\n")
                self.write(f"lib/{layer}/a.cpp", "")

    def test_a_private_header_of_another_folder(self):
        self.write("lib/base/hidden.hpp", "")
        self.expect("not beside it", "lib/gmem/a.cpp", '#include "hidden.hpp"\n')

    def test_a_private_header_in_a_public_one(self):
        self.write("lib/gmem/hidden.hpp", "")
        self.expect("private", "lib/gmem/include/gmem/a.hpp", '#include "hidden.hpp"\n')

    def test_a_header_that_is_not_public(self):
        self.write("lib/base/detail.hpp", "")
        self.expect("no public header", "lib/gmem/a.cpp", '#include "base/detail.hpp"\n')

    def test_an_unknown_folder(self):
        (self.root / "lib/extra").mkdir()
        self.assertIn("lib/extra", check_layers.check(self.root)[0])

    def test_a_file_that_is_too_long(self):
        self.expect(None, "lib/base/a.cpp", "\n" * 400)
        self.expect("401 lines", "lib/base/a.cpp", "\n" * 401)


if __name__ == "__main__":
    unittest.main()
