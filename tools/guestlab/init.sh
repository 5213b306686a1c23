#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# init.sh - process 1 of a lab guest. Mounts, loads the balloon driver, then serves commands.
# The kernel command line sets LAB_CHANNEL (the device of the command channel), LAB_BALLOON
# (0: leave the driver unloaded) and LAB_SHELL (1: an interactive shell on the console instead).
#
# Request:  ID SECONDS BASE64-OF-SCRIPT                          one line
# Answer:   LAB ID begin / base64 of the output / LAB ID end STATUS SIZE
# Everything in between is base64, and the channel is not the console: no kernel message
# can fall into an answer.

export PATH=/bin HOME=/ TERM=${TERM:-linux}
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o size=98% tmp /tmp
dmesg -n 1

load_balloon() {
  while read -r module; do
    grep -q "^$module " /proc/modules || insmod "/lib/modules/$module.ko" || return 1
  done < /lib/modules/order
}

serve_one() { # ID SECONDS SCRIPT
  printf %s "$3" | base64 -d > /run/script
  timeout -s KILL "$2" sh -c 'echo 0 > /proc/self/oom_score_adj; . /run/script' \
    > /run/output 2>&1 < /dev/null
  status=$?
  echo "LAB $1 begin"
  base64 /run/output
  echo "LAB $1 end $status $(stat -c %s /run/output)"
}

serve() {
  echo -1000 > /proc/self/oom_score_adj # a full balloon must not cost us the channel
  stty -F "$LAB_CHANNEL" raw -echo
  exec 3<> "$LAB_CHANNEL"
  echo "LAB ready $(cat /proc/sys/kernel/random/boot_id)" >&3
  while read -r id seconds script <&3; do
    [ -n "$script" ] && serve_one "$id" "$seconds" "$script" >&3
  done
}

if [ "${LAB_BALLOON:-1}" = 1 ]; then
  load_balloon || echo "init: virtio_balloon does not load"
fi
if [ "${LAB_SHELL:-0}" = 1 ]; then
  echo "Lab guest, Linux $(uname -r). 'exit' powers it off; Ctrl-] kills it."
  setsid cttyhack sh
  poweroff -f
fi
# In a subshell: orphans fall to process 1, and their SIGCHLD interrupts a read in such a way
# that busybox forgets the half of a line which it has read.
while :; do
  (serve)
  sleep 1
done
