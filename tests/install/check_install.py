# SPDX-License-Identifier: BSD-3-Clause
"""What `meson install` puts where: all that the steps of docs/operations.md rely on."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

_BUILD = sys.argv.pop()
_PAGES = (
    "man1/vballoonctl.1",
    "man1/vballoon-driver.1",
    "man5/vballoond.toml.5",
    "man8/vballoond.8",
    "man8/vballoon-keeper.8",
    "man8/vballoon-exporter.8",
)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="vballoon-install-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.install()

    @classmethod
    def install(cls):
        subprocess.run(
            ["meson", "install", "-C", _BUILD, "--no-rebuild", "--quiet"],
            env={**os.environ, "DESTDIR": cls.folder.name},
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def installed(self, path: str) -> Path:
        """Where what will be `path` lies now."""
        return Path(self.folder.name + path)

    def test_programs_run(self):
        programs = {"SBINDIR": ("vballoond", "vballoon-keeper", "vballoon-exporter"),
                    "BINDIR": ("vballoonctl", "vballoon-driver")}
        for folder, names in programs.items():
            for name in names:
                program = self.installed(f"{os.environ[folder]}/{name}")
                answer = subprocess.run([program, "--help"], capture_output=True, check=True)
                self.assertIn(name, answer.stdout.decode())

    def test_output_that_is_lost_is_a_failure(self):
        for folder, name in (("SBINDIR", "vballoond"), ("SBINDIR", "vballoon-keeper"),
                             ("SBINDIR", "vballoon-exporter"), ("BINDIR", "vballoonctl"), ("BINDIR", "vballoon-driver")):
            program = self.installed(f"{os.environ[folder]}/{name}")
            for option in ("--help", "--version"):
                with open("/dev/full", "w") as full:
                    answer = subprocess.run([program, option], stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(answer.returncode, 2 if name == "vballoon-driver" else 1, name)
                self.assertIn("standard output", answer.stderr.decode())

    def test_the_unit_starts_what_is_installed(self):
        unit = self.installed(os.environ["UNIT_DIR"] + "/vballoond.service").read_text()
        start = re.search(r"^ExecStart=(\S+) --config (\S+)", unit, re.MULTILINE)
        self.assertIsNotNone(start, unit)
        self.assertTrue(os.access(self.installed(start[1]), os.X_OK), start[1])
        self.assertTrue(self.installed(start[2]).is_file(), start[2])
        self.assertNotIn("@sbindir@", unit)

    def test_the_unit_keeps_its_state_over_a_restart(self):
        unit = self.installed(os.environ["UNIT_DIR"] + "/vballoond.service").read_text()
        folder = re.search(r"--state /run/(\S+?)/state$", unit, re.MULTILINE)
        self.assertIsNotNone(folder, unit)
        self.assertIn(f"\nRuntimeDirectory={folder[1]}\n", unit)
        self.assertIn("\nRuntimeDirectoryPreserve=restart\n", unit)

    def test_the_units_user_is_made(self):
        unit = self.installed(os.environ["UNIT_DIR"] + "/vballoond.service").read_text()
        user = re.search(r"^User=(\w+)$", unit, re.MULTILINE)
        self.assertIsNotNone(user, unit)
        made = self.installed(os.environ["SYSUSERS_DIR"] + "/vballoon.conf").read_text()
        self.assertRegex(made, rf"(?m)^u {user[1]} ")

    def test_the_unit_has_no_capability_and_says_so_to_systemd(self):
        unit = self.installed(os.environ["UNIT_DIR"] + "/vballoond.service")
        self.assertRegex(unit.read_text(), r"(?m)^CapabilityBoundingSet=$")
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        # Of 100; what is left are AF_UNIX, its user's own IPC and the users of the host.
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=12", unit]
        judged = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)

    def test_the_daemon_looks_where_the_configuration_is(self):
        daemon = self.installed(os.environ["SBINDIR"] + "/vballoond")
        answer = subprocess.run([daemon, "--help"], capture_output=True, check=True)
        self.assertIn(os.environ["CONFIG_DIR"] + "/vballoond.toml", answer.stdout.decode())

    @unittest.skipUnless(os.environ["MANDIR"], "scdoc is not installed")
    def test_manual_pages_are_in_their_sections(self):
        for page in _PAGES:
            self.assertTrue(self.installed(f"{os.environ['MANDIR']}/{page}").is_file(), page)

    @unittest.skipUnless(os.environ["MANDIR"], "scdoc is not installed")
    def test_the_manual_page_has_every_setting(self):
        program = self.installed(os.environ["BINDIR"] + "/vballoonctl")
        asked = [program, "complete", "add", "vm1", "socket", "-k", ""]
        keys = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        self.assertGreater(len(keys), 5)
        page = self.installed(os.environ["MANDIR"] + "/man5/vballoond.toml.5").read_text()
        for key in ["group=", *keys]:
            self.assertIn(f"\\fB{key.removesuffix('=')}\\fR = ", page)

    def test_completion_asks_the_program(self):
        script = self.installed(os.environ["COMPLETIONS_DIR"] + "/vballoonctl")
        program = self.installed(os.environ["BINDIR"] + "/vballoonctl")
        for line, found in (("set-o", "set-option"), ("set-option vm1 we", "weight="),
                            ("set-option vm1 automatic=f", "false"),
                            ("add a b -k packed=", "true\nfalse")):
            asked = f"""
                compopt() {{ :; }}
                . '{script}'
                COMP_WORDBREAKS=' ='
                COMP_LINE='vballoonctl {line}' COMP_POINT=$((12 + {len(line)}))
                _vballoonctl '{program}'
                printf '%s\n' "${{COMPREPLY[@]}}"
            """
            answer = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
            self.assertEqual(answer.stdout, found + "\n", line + answer.stderr)

    def test_completion_of_zsh_asks_the_program(self):
        program = self.installed(os.environ["BINDIR"] + "/vballoonctl")
        for line, found in (("set-o", "set-option"), ("set-option vm1 we", "weight="),
                            ("set-option vm1 automatic=f", "automatic=false"),
                            ("policy ", "show explain auto")):
            words = line.split(" ")
            asked = f"""
                fpath=('{self.installed(os.environ["ZSH_DIR"])}' $fpath)
                autoload -Uz compinit && compinit -u -D
                compadd() {{ [[ "$*" == *-- ]] || print -r -- "${{*##*-- }}" }}
                words=('{program}' {" ".join(f"'{word}'" for word in words)})
                CURRENT={len(words) + 1}
                $_comps[vballoonctl]
            """
            answer = subprocess.run(["zsh", "-f", "-c", asked], capture_output=True, text=True)
            self.assertEqual(answer.stdout, found + "\n", line + answer.stderr)

    def test_an_edited_configuration_stays(self):
        config = self.installed(os.environ["CONFIG_DIR"] + "/vballoond.toml")
        config.write_text("# mine\n")
        self.install()
        self.assertEqual(config.read_text(), "# mine\n")
        self.assertTrue(config.with_name("vballoond.toml.new").is_file())


if __name__ == "__main__":
    unittest.main()
