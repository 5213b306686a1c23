#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Memory that fallocate() put into a file of tmpfs is in the file, and neither data nor resident.
#
# Seen on: Linux 6.18.44, memfd.
# Guess:   fallocate() puts pages into the page cache, so mincore() of a mapping tells that all of them
#          are resident, and SEEK_DATA finds them: the memory is there, and charged.
# Is:      st_blocks counts them, mincore() says that none is resident, SEEK_DATA fails with ENXIO as for
#          an empty file. A page becomes resident, and data, with its first touch, though it be a read.
# So:      who asks how much memory a guest's preallocated file takes asks st_blocks; who copies a file
#          by SEEK_DATA leaves its preallocation behind.
set -eu
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/pages.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kPage = 4096, kPages = 16 };

static void look(const char *when, int file, unsigned char *bytes) {
  struct stat status;
  unsigned char there[kPages];
  int resident = 0;
  fstat(file, &status);
  mincore(bytes, kPage * kPages, there);
  for (int i = 0; i < kPages; ++i) resident += there[i] & 1;
  errno = 0;
  long data = lseek(file, 0, SEEK_DATA);
  printf("%s: blocks of %ld pages, resident %d, data from %ld (%s)\n", when,
         (long)status.st_blocks * 512 / kPage, resident, data, data < 0 ? strerror(errno) : "found");
}

int main(void) {
  int file = memfd_create("guest", 0);
  if (file < 0 || fallocate(file, 0, 0, kPage * kPages) != 0) return perror("fallocate"), 2;
  volatile unsigned char *bytes =
      mmap(NULL, kPage * kPages, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (bytes == MAP_FAILED) return perror("mmap"), 2;
  madvise((void *)bytes, kPage * kPages, MADV_RANDOM);
  look("fallocated", file, (unsigned char *)bytes);
  (void)bytes[3 * kPage];
  look("page 3 read", file, (unsigned char *)bytes);
  return 0;
}
C
gcc -O1 -o "$folder/pages" "$folder/pages.c"
"$folder/pages" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
fallocated: blocks of 16 pages, resident 0, data from -1 (No such device or address)
page 3 read: blocks of 16 pages, resident 1, data from 12288 (found)
SEEN
echo "as found, with Linux $(uname -r)"
