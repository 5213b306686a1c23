#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A UNIX socket that wants to know who sends (SO_PASSCRED) gets a name when it connects, and keeps that
# name when the connection is refused.
#
# Seen on: Linux 6.18.44.
# Guess:   SO_PASSCRED is about what is received: a stream socket whose connect(2) was refused is as it
#          was before, and can be bound.
# Is:      connect(2) first binds such a socket to an abstract name of five digits (the name by which a
#          peer could tell it), then finds out that nobody listens. bind(2) fails then with EINVAL. A
#          socket without the option has no name after the same, and can be bound.
# So:      set the option after bind(2), or after a connect(2) that succeeded, where the code that probes
#          a stale socket's file binds the same socket next; DPDK's telemetry does so.
set -eu
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/name.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address(const char *path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
  return to;
}

static const char *outcome(int result) { return result == 0 ? "done" : strerror(errno); }

/* A file of a socket at which nobody listens, and then a name for the socket that knocked there. */
static void look(int wants_senders) {
  struct sockaddr_un stale = address("stale"), own = address(wants_senders ? "own1" : "own0");
  int left = socket(AF_UNIX, SOCK_STREAM, 0);
  unlink("stale");
  bind(left, (struct sockaddr *)&stale, sizeof(stale));
  close(left);

  int knocks = socket(AF_UNIX, SOCK_STREAM, 0);
  setsockopt(knocks, SOL_SOCKET, SO_PASSCRED, &wants_senders, sizeof(wants_senders));
  printf("SO_PASSCRED %d\n", wants_senders);
  printf("  connect: %s\n", outcome(connect(knocks, (struct sockaddr *)&stale, sizeof(stale))));
  struct sockaddr_un name;
  socklen_t bytes = sizeof(name);
  getsockname(knocks, (struct sockaddr *)&name, &bytes);
  printf("  bytes of its name: %zu\n", bytes - offsetof(struct sockaddr_un, sun_path));
  printf("  bind: %s\n", outcome(bind(knocks, (struct sockaddr *)&own, sizeof(own))));
  close(knocks);
}

int main(void) {
  look(0);
  look(1);
  return 0;
}
C
gcc -O1 -o "$folder/name" "$folder/name.c"
(cd "$folder" && ./name) | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
SO_PASSCRED 0
  connect: Connection refused
  bytes of its name: 0
  bind: done
SO_PASSCRED 1
  connect: Connection refused
  bytes of its name: 6
  bind: Invalid argument
SEEN
echo "as found, with Linux $(uname -r)"
