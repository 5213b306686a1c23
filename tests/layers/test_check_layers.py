#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/test_check_layers.py - the check finds what it is there to find.
"""Builds small trees with one fault each and expects one complaint about it."""

import tempfile
import unittest
from pathlib import Path

import check_layers

LAYERS = check_layers.tool().load()


class CheckLayers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name, layer in LAYERS.items():
            for header in layer["public"]:
                self.write(f"lib/{name}/{header}", "")
        for app in check_layers.APPS:
            self.write(f"app/{app}/main.cpp", "")

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def complaints(self):
        return check_layers.check(self.root, LAYERS)

    def expect(self, words, path, text):
        """One complaint, naming the file and these words; none where words is None."""
        self.write(path, text)
        complaints = self.complaints()
        if words is None:
            self.assertEqual(complaints, [])
            return
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn(words, complaints[0])
        self.assertIn(path, complaints[0])

    def test_a_clean_tree_has_no_complaints(self):
        self.expect(None, "lib/datapath/a.cpp", '#include "base/check.hpp"\n'
                    '#include "datapath/data_path.hpp"\n#include <vector>\n')

    def test_a_source_that_includes_another_header_first(self):
        self.expect("header of its name first", "lib/gmem/guest_memory.cpp",
                    '#include "base/check.hpp"\n#include "gmem/guest_memory.hpp"\n')

    def test_an_upward_include(self):
        self.expect("gmem may not include virtq", "lib/gmem/a.cpp", '#include "virtq/queue.hpp"\n')

    def test_an_include_of_a_layer_beside(self):
        self.expect("virtq may not include reclaim", "lib/virtq/a.cpp",
                    '#include "reclaim/ledger.hpp"\n')

    def test_the_driver_in_the_daemon(self):
        self.expect("vballoond may not include driver", "app/vballoond/main.cpp",
                    '  #  include "driver/arena.hpp"\n')

    def test_the_driver_in_a_layer_of_the_daemon(self):
        self.expect("service may not include driver", "lib/service/rpc/a.cpp",
                    '#include "driver/arena.hpp"\n')

    def test_rte_vhost_outside_vhost(self):
        self.expect("lcore may not include <rte_vhost.h>", "lib/lcore/a.cpp",
                    "#include <rte_vhost.h>\n")

    def test_dpdk_where_it_may_be(self):
        for layer in ("lcore", "vhost"):
            self.expect(None, f"lib/{layer}/a.cpp", "#include <rte_pause.h>\n")

    def test_dpdk_where_it_may_not_be(self):
        self.expect("datapath may not include <rte_ring.h>", "lib/datapath/a.cpp",
                    "#include <rte_ring.h>\n")

    def test_dpdk_in_a_public_header(self):
        self.expect("public header", "lib/lcore/poller.hpp", "#include <rte_pause.h>\n")

    def test_linuxs_virtio_headers_outside_wire(self):
        self.expect("virtq may not include", "lib/virtq/a.cpp", "#include <linux/virtio_ring.h>\n")

    def test_other_libraries_in_wrong_places(self):
        for header, layer in (("asio.hpp", "rpc"), ("asio/io_context.hpp", "vhost"),
                              ("nlohmann/json.hpp", "wire"), ("toml++/toml.h", "policy"),
                              ("CLI/CLI.hpp", "service"), ("hwloc.h", "service"),
                              ("gtest/gtest.h", "base"), ("boost/any.hpp", "base")):
            with self.subTest(header=header):
                self.expect(f"<{header}>", f"lib/{layer}/a.cpp", f"#include <{header}>\n")
                self.write(f"lib/{layer}/a.cpp", "")

    def test_a_header_without_its_layer(self):
        self.expect("names no layer", "lib/gmem/a.cpp", '#include "backing_check.hpp"\n')

    def test_a_header_that_is_not_there(self):
        self.expect("is not there", "lib/gmem/a.cpp", '#include "base/gone.hpp"\n')

    def test_a_private_header_in_a_public_one(self):
        self.write("lib/gmem/hidden.hpp", "")
        self.expect("which is not public", "lib/gmem/guest_memory.hpp",
                    '#include "gmem/hidden.hpp"\n')

    def test_a_private_header_in_a_source_of_its_layer(self):
        self.write("lib/gmem/hidden.hpp", "")
        self.expect(None, "lib/gmem/a.cpp", '#include "gmem/hidden.hpp"\n')

    def test_a_private_header_of_another_layer(self):
        self.write("lib/base/detail.hpp", "")
        self.expect("no public header", "lib/gmem/a.cpp", '#include "base/detail.hpp"\n')

    def test_a_public_header_that_is_gone(self):
        (self.root / "lib/base/check.hpp").unlink()
        self.assertIn("check.hpp, which is not there", self.complaints()[0])

    def test_a_picture_that_is_another(self):
        tree = "\n".join(check_layers.tool().tree(LAYERS))
        self.expect(None, "docs/architecture.md", f"```\n{tree}\n```\n")
        self.expect("tools/layers tree", "docs/architecture.md", tree.replace("gmem", "memory"))

    def test_an_unknown_folder(self):
        (self.root / "lib/extra").mkdir()
        self.assertIn("lib/extra", self.complaints()[0])

    def test_a_file_that_is_too_long(self):
        self.expect(None, "lib/base/a.cpp", "\n" * 400)
        self.expect("401 lines", "lib/base/a.cpp", "\n" * 401)

    def test_a_line_that_is_too_long(self):
        self.expect(None, "lib/base/a.cpp", "// " + 97 * "x" + "\n")
        self.expect("101 columns", "lib/base/a.cpp", "// " + 98 * "x" + "\n")


class List(unittest.TestCase):
    """tools/layers refuses a list that makes no sense."""

    def expect(self, words, text):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "lib").mkdir()
            (Path(folder) / "lib/layers.toml").write_text(text)
            with self.assertRaisesRegex(ValueError, words):
                check_layers.tool().load(Path(folder))

    def test_a_layer_below_itself(self):
        self.expect("a includes b, which is not below it",
                    '[a]\nincludes = ["b"]\n[b]\nincludes = ["a"]\n')

    def test_an_unknown_key(self):
        self.expect(r"\[a\] has an unknown key: include", '[a]\ninclude = []\n')


if __name__ == "__main__":
    unittest.main()
