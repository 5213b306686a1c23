#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A peek at the first byte of a UNIX stream brings the descriptors of a message behind it.
#
# Seen on: Linux 6.18.44, and Debian 12's User Mode Linux (6.1.176), which is fetched and started here;
#          the same with Debian sid's (7.2.7).
# Guess:   descriptors (SCM_RIGHTS) come with the first byte of the message that they were sent with, as
#          they do when they are received: MSG_PEEK of the bytes in front of that message brings none.
# Is:      a peek that has all the bytes it asked for looks on, past every message without descriptors,
#          and brings those of the first message that has some. Where the peek begins in the middle of
#          such a message (SO_PEEK_OFF) it brings them again. Received, they come as guessed.
# So:      a backend that peeks at a header of vhost-user (12 bytes, MSG_PEEK) closes the descriptors that
#          come along, and takes descriptors from the receive alone.
set -eu
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "needs amd64, for User Mode Linux" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=6.1um4+b13
cd "$folder"
apt-get -q download user-mode-linux=$version > download.log 2>&1 || { cat download.log >&2; exit 2; }
dpkg -x user-mode-linux_*.deb root

cat > peek.c <<'C'
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends[2];

/* The message's descriptor, if it has one, is of a file of as many bytes as the message. */
static void send_message(const char *text, int has_descriptor) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {(void *)text, strlen(text)};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  int file = has_descriptor ? memfd_create(text, 0) : -1;
  if (has_descriptor) {
    if (ftruncate(file, strlen(text)) != 0) exit(2);
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(head), &file, sizeof(file));
  }
  if (sendmsg(ends[0], &message, 0) < 0) exit(2);
  close(file);
}
static void get(const char *how, int flags, size_t bytes) {
  char text[32] = "", control[CMSG_SPACE(4 * sizeof(int))];
  struct iovec part = {text, bytes};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = sizeof(control)};
  if (recvmsg(ends[1], &message, flags | MSG_DONTWAIT) < 0) exit(2);
  printf("%s %zu: \"%s\"", how, bytes, text);
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (head != NULL) {
    struct stat status;
    int file;
    memcpy(&file, CMSG_DATA(head), sizeof(file));
    fstat(file, &status);
    close(file);
    printf(", descriptor of the message of %ld bytes", (long)status.st_size);
  }
  puts("");
}
static void peek_from(int offset) {
  if (setsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) != 0) exit(2);
}

int main(void) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 2;
  send_message("head", 0);
  send_message("er", 0);
  send_message("table", 1);
  send_message("kick...", 1);
  get("peek", MSG_PEEK, 1);
  get("peek", MSG_PEEK, 4);
  peek_from(8);
  get("peek from 8,", MSG_PEEK, 2);
  peek_from(-1);
  get("receive", 0, 4);
  get("receive", 0, 2);
  get("receive", 0, 3);
  get("peek", MSG_PEEK, 1);
  get("receive", 0, 2);
  get("receive", 0, 1);
  fflush(stdout);
  if (getpid() == 1) reboot(RB_POWER_OFF);
  return 0;
}
C
gcc -O1 -static -o peek peek.c
cat > expected <<'SEEN'
peek 1: "h", descriptor of the message of 5 bytes
peek 4: "head", descriptor of the message of 5 bytes
peek from 8, 2: "bl", descriptor of the message of 5 bytes
receive 4: "head"
receive 2: "er"
receive 3: "tab", descriptor of the message of 5 bytes
peek 1: "l", descriptor of the message of 7 bytes
receive 2: "le"
receive 1: "k", descriptor of the message of 7 bytes
SEEN
./peek | tee seen
diff seen expected
# The guest's root is this folder, its first program is the one above.
status=0
TMPDIR=$folder timeout 120 root/usr/bin/linux.uml mem=64M root=/dev/root rootfstype=hostfs \
  rootflags="$folder" ro init=/peek con0=null,fd:1 con=null quiet uml_dir="$folder" \
  < /dev/null > guest 2> errors || status=$?
tr -d '\r' < guest | grep -E '^(peek|receive) ' > guest-seen || true
diff guest-seen expected || { echo "status $status" >&2; cat guest errors >&2; exit 1; }
echo "as found, with Linux $(uname -r) and $(root/usr/bin/linux.uml --version)"
