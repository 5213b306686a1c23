#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# An answer of DPDK's telemetry that is too long lacks entries in its middle, and nobody is told.
#
# Seen on: DPDK 22.11.11 (Debian 12, librte-telemetry23).
# Guess:   rte_tel_data_add_array_string() returns an error for the first string that does not fit into
#          the message (max_output_len, 16384 bytes); or the answer is cut at its end.
# Is:      each of 400 strings is added with 0. An entry for which the message has no room is left out
#          as the JSON is made, alone: shorter ones behind it are in. The answer is valid JSON.
# So:      a handler has to count bytes itself, or a reader takes a list with holes for the whole list.
set -eu
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
command -v python3 > /dev/null || { echo "needs python3" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=22.11.11-0+deb12u1
cd "$folder"
apt-get -q download librte-eal23=$version librte-kvargs23=$version librte-telemetry23=$version \
  libdpdk-dev=$version libfdt1 libnuma1 libbsd0 libmd0 > download.log 2>&1 || { cat download.log >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
libraries=root/usr/lib/x86_64-linux-gnu
headers="-I root/usr/include/x86_64-linux-gnu/dpdk -I root/usr/include/dpdk"

cat > server.c <<'C'
#include <rte_eal.h>
#include <rte_telemetry.h>
#include <stdio.h>
#include <unistd.h>

/* 400 strings: those with an even number are 100 bytes long, the others 3. */
static int numbers(const char *command, const char *parameters, struct rte_tel_data *data) {
  (void)command;
  (void)parameters;
  int refused = 0;
  rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
  for (int i = 0; i < 400; ++i) {
    char text[128];
    snprintf(text, sizeof(text), "%03d%s", i,
             i % 2 != 0 ? "" : "------------------------------------------------"
                               "-------------------------------------------------");
    refused += rte_tel_data_add_array_string(data, text) != 0;
  }
  printf("strings that were refused: %d\n", refused);
  fflush(stdout);
  return 0;
}

int main(int count, char **arguments) {
  if (rte_eal_init(count, arguments) < 0) return 2;
  if (rte_telemetry_register_cmd("/numbers", numbers, "400 strings") != 0) return 2;
  puts("ready");
  fflush(stdout);
  pause();
  return 0;
}
C
gcc -O1 -march=corei7 $headers -include rte_config.h -o server server.c \
  -Wl,--allow-shlib-undefined "$libraries"/librte_eal.so.23 "$libraries"/librte_telemetry.so.23

cat > ask.py <<'P'
import json, os, socket, subprocess, sys

environment = {**os.environ, "LD_LIBRARY_PATH": sys.argv[1], "RUNTIME_DIRECTORY": os.getcwd()}
command = ["./server", "--no-huge", "--no-pci", "--no-shconf", "-m", "64", "--file-prefix", "f"]
with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=open("log", "w"), text=True) as server:
    try:
        if server.stdout.readline() != "ready\n":
            sys.exit(open("log").read())
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect("dpdk/f/dpdk_telemetry.v2")
            print("longest answer:", json.loads(client.recv(1 << 20))["max_output_len"])
            client.send(b"/numbers")
            answer = json.loads(client.recv(1 << 20))["/numbers"]
        print(server.stdout.readline(), end="")
    finally:
        server.kill()
came = [int(text[:3]) for text in answer]
missing = sorted(set(range(400)) - set(came))
print("strings that came:", len(came))
print("behind the first that is missing:", len([n for n in came if n > missing[0]]))
print("all of them short:", all(n % 2 for n in came if n > missing[0]))
P
python3 ask.py "$libraries" | tee seen
diff seen - <<'SEEN'
longest answer: 16384
strings that were refused: 0
strings that came: 303
behind the first that is missing: 3
all of them short: True
SEEN
echo "as found, with DPDK $version"
