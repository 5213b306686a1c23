#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# /proc/pressure/memory throws the last byte of a trigger away; memory.pressure of a cgroup does not.
#
# Seen on: Linux 6.18.44; the same in guests with Debian's 6.1.192, 6.12.118 and 7.3.4.
# Guess:   write(file, text, strlen(text)) sets a trigger, as it sets anything else below /proc and
#          /sys; a cgroup's memory.pressure and /proc/pressure/memory take the same bytes.
# Is:      /proc puts the terminating 0 over the last byte that was written. Without a newline or a 0 of
#          its own "some 300000 2000000" has a window of 0.2 s, less than its 0.3 s of waiting, and is
#          refused; a window of 20 s, where 10 s is the limit, is taken, as 2 s. A cgroup's file reads
#          all bytes.
# So:      write strlen(text) + 1 bytes, or a newline; a trigger that was taken may be another one.
set -eu
[ "$(id -u)" = 0 ] || { echo "needs root, for the memory.pressure of a cgroup" >&2; exit 2; }
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
cgroup=$(findmnt -n -t cgroup2 -o TARGET | head -1)
for file in /proc/pressure/memory "$cgroup/memory.pressure"; do
  [ -w "$file" ] || { echo "needs PSI and a mounted cgroup2: no $file" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/trigger.c" <<'C'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A trigger lives as long as its descriptor: each one gets its own. */
static void set(const char *path, const char *text, size_t bytes) {
  int file = open(path, O_RDWR | O_NONBLOCK);
  if (file < 0) exit(2);
  ssize_t result = write(file, text, bytes);
  printf("  \"%s\", %zu bytes: %s\n", text, bytes, result < 0 ? strerror(errno) : "taken");
  close(file);
}
static void look(const char *name, const char *path) {
  static const char *const texts[] = {"some 300000 2000000", "some 300000 20000000"};
  printf("%s\n", name);
  for (int i = 0; i < 2; ++i) {
    set(path, texts[i], strlen(texts[i]));
    set(path, texts[i], strlen(texts[i]) + 1);
  }
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  look("/proc/pressure/memory", "/proc/pressure/memory");
  look("memory.pressure of a cgroup", arguments[1]);
  return 0;
}
C
gcc -O1 -o "$folder/trigger" "$folder/trigger.c"
"$folder/trigger" "$cgroup/memory.pressure" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
/proc/pressure/memory
  "some 300000 2000000", 19 bytes: Invalid argument
  "some 300000 2000000", 20 bytes: taken
  "some 300000 20000000", 20 bytes: taken
  "some 300000 20000000", 21 bytes: Invalid argument
memory.pressure of a cgroup
  "some 300000 2000000", 19 bytes: taken
  "some 300000 2000000", 20 bytes: taken
  "some 300000 20000000", 20 bytes: Invalid argument
  "some 300000 20000000", 21 bytes: Invalid argument
SEEN
echo "as found, with Linux $(uname -r)"
