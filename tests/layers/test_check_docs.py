#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# tests/layers/test_check_docs.py - the checks of the documentation find what they are there to find.
"""Builds small trees with one fault each and expects one complaint about it."""

import tempfile
import unittest
from pathlib import Path

import check_conformance
import check_links
import check_quotes


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, path, text=""):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def expect(self, words, complaints):
        """One complaint with these words; none where words is None."""
        complaints = list(complaints)
        self.assertEqual(len(complaints), 0 if words is None else 1, complaints)
        for complaint in complaints:
            self.assertIn(words, complaint if isinstance(complaint, str) else str(complaint))


class CheckLinks(Tree):
    def links(self, text):
        self.write("docs/a.md", text)
        self.write("docs/b.md", "# One\n\n## 2. Two: it's `code`, too\n\n## Same\n\n## Same\n"
                                "```\n# no heading\n```\n")
        return check_links.broken(self.root, "docs/a.md")

    def test_links_that_are_there(self):
        self.expect(None, self.links(
            "# Top\n[x](b.md) [y](b.md#one) [z](#top) [s](b.md#same-1) [w](https://a.example/#b)"
            " [c](b.md#2-two-its-code-too) section 2 of [b](b.md)"))

    def test_a_file_that_is_not_there(self):
        self.expect("c.md is not there", self.links("[x](c.md)"))

    def test_a_picture_that_is_not_there(self):
        self.expect("p.png is not there", self.links("![x](p.png)"))

    def test_an_anchor_that_is_not_there(self):
        self.expect("#three has no such heading", self.links("[x](b.md#three)"))

    def test_an_anchor_of_its_own_that_is_not_there(self):
        self.expect("#three has no such heading", self.links("[x](#three)"))

    def test_a_comment_in_a_block_is_no_heading(self):
        self.expect("#no-heading has no such heading", self.links("[x](b.md#no-heading)"))

    def test_a_section_that_is_not_there(self):
        self.expect("b.md has no section 3", self.links("section 3\nof [b](b.md)"))

    def test_what_is_code_is_no_link(self):
        self.expect(None, self.links("`[x](c.md)`\n```\n[x](c.md)\n```\n"))


class CheckQuotes(Tree):
    def commands(self, text):
        self.write("app/vballoonctl/arguments.cpp", '"set" "set-option"')
        self.write("tools/demo", "app/vballoond/vballoond")
        return check_quotes.wrong_commands("README.md", text, self.root)

    def test_commands_that_are_there(self):
        self.expect(None, self.commands(
            "$ vballoonctl set vm1 0\n`vballoonctl set-option vm1`\n$ tools/demo\n"
            "build/app/vballoond/vballoond\n`vballoonctl --json`\n"))

    def test_a_command_that_vballoonctl_lacks(self):
        self.expect("has no 'sat'", self.commands("    $ vballoonctl --json sat vm1\n"))
        self.expect("has no 'sat'", self.commands("see `vballoonctl sat vm1`\n"))

    def test_a_program_that_the_demo_does_not_build(self):
        self.expect("does not build it", self.commands("build/app/other/other\n"))

    def test_a_tool_that_is_not_there(self):
        self.expect("tools/lost, which is not there", self.commands("```\ntools/lost\n```\n"))

    def test_a_message_that_nobody_says(self):
        page = "\n## Troubleshooting\n\n| see | why |\n|---|---|\n| {} | x |\n\n## Next\n"
        texts = "the pool has no page"
        self.expect(None, check_quotes.wrong_quotes(page.format("`... the pool has no page`"), texts))
        self.expect("the pool is empty",
                    check_quotes.wrong_quotes(page.format("Log: `the pool is empty`"), texts))
        self.expect(None, check_quotes.wrong_quotes(page.format("QEMU: `the pool is empty`"), texts))

    def test_a_figure_that_is_not_the_last_runs(self):
        table = "| a.b | 0.5 | <= 3 | met | 528 | | what |\n"
        row = "| wait | {} | {} page by page | `a.b` |\n"
        self.expect(None, check_quotes.wrong_figures(row.format("0.5 us", "528"), table))
        self.expect("has '0.5'", check_quotes.wrong_figures(row.format("0.4 us", "528"), table))
        self.expect("has '0.5'", check_quotes.wrong_figures(row.format("0.5 us", "527"), table))
        self.expect("has ''", check_quotes.wrong_figures("| x | 1 | | `a.c` |\n", table))
        self.expect("no key figures", check_quotes.wrong_figures("", table))


class CheckConformance(Tree):
    def names(self, text):
        self.write("docs/a.md", text)
        self.write("lib/gmem/map.cpp")
        self.write("tests/unit/gmem/test_map.cpp", "TEST(Map, FindsAPage) {}\n")
        tests = check_conformance.tests_of(self.root)
        return check_conformance.missing(self.root, "docs/a.md", tests)

    def test_names_that_are_there(self):
        self.expect(None, self.names(
            "`gmem/map.cpp` `map.cpp` `Map.FindsAPage` `lib/gmem` `lib/gmem/*.cpp` `lib/LAYER/x`"))

    def test_a_file_that_is_not_there(self):
        self.expect("gmem/lost.cpp", self.names("`gmem/lost.cpp`"))
        self.expect("lost.cpp", self.names("`lost.cpp`"))
        self.expect("config/lost.toml", self.names("`config/lost.toml`"))
        self.expect("lib/lost", self.names("`lib/lost`"))
        self.expect("lib/gmem/*.py", self.names("`lib/gmem/*.py`"))

    def test_a_test_that_is_not_there(self):
        self.expect("Map.LosesAPage", self.names("`Map.LosesAPage`"))


if __name__ == "__main__":
    unittest.main()
