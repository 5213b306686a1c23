#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A file of huge pages takes holes that free nothing, and shows neither these nor real ones.
#
# Seen on: Linux 6.18.44, memfd of 2 MiB pages (root: it allows itself 4 surplus pages meanwhile).
# Guess:   fallocate(PUNCH_HOLE) of 4 KiB fails with EINVAL, or is rounded; SEEK_HOLE finds a page that
#          was punched whole, for it does on tmpfs; mincore() of a new mapping tells which pages the
#          file has, as it does on tmpfs.
# Is:      the small hole returns 0, zeroes its bytes and frees nothing, and 512 of them do not free the
#          page either. A whole page is freed, and only st_blocks says so: SEEK_HOLE finds the end of
#          the file, SEEK_DATA takes the hole for data, mincore() says that pages which are there are
#          not.
# So:      who gives memory of huge pages back collects whole pages by himself, and asks st_blocks.
set -eu
[ "$(id -u)" = 0 ] || { echo "needs root, for vm.nr_overcommit_hugepages" >&2; exit 2; }
command -v gcc > /dev/null || { echo "needs gcc" >&2; exit 2; }
folder=$(mktemp -d)
allowed=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages
before=$(cat "$allowed")
trap 'echo "$before" > "$allowed"; rm -rf "$folder"' EXIT
echo $((before + 4)) > "$allowed"

cat > "$folder/holes.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const long page = 2L << 20;
static int file;

static long blocks(void) {
  struct stat status;
  fstat(file, &status);
  return status.st_blocks;
}
static int punch(long from, long bytes) {
  return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, bytes);
}
static unsigned char *map(void) {
  return mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
}

int main(void) {
  file = memfd_create("guest", MFD_HUGETLB | (21u << 26));
  if (file < 0 || ftruncate(file, 4 * page) != 0) return perror("memfd of huge pages"), 2;
  unsigned char *bytes = map();
  if (bytes == MAP_FAILED) return perror("mmap of 4 huge pages"), 2;
  memset(bytes, 1, 4 * page);
  printf("blocks %ld\n", blocks());
  int result = punch(4096, 4096);
  printf("a hole of 4 KiB: returns %d, bytes %d %d %d, blocks %ld\n", result, bytes[4095],
         bytes[4096], bytes[8192], blocks());
  for (long i = 0; i < 512; ++i) punch(i * 4096, 4096);
  printf("512 of them: blocks %ld\n", blocks());
  result = punch(page, page);
  printf("a hole of a page: returns %d, blocks %ld\n", result, blocks());
  printf("SEEK_HOLE from 0: %ld pages on\n", (long)lseek(file, 0, SEEK_HOLE) / page);
  printf("SEEK_DATA in the hole: 0 pages on: %d\n", lseek(file, page, SEEK_DATA) == page);
  munmap(bytes, 4 * page);
  bytes = map();
  unsigned char there[2048];
  mincore(bytes, 4 * page, there);
  printf("mincore of a page that is there: %d\n", there[3 * 512] & 1);
  return 0;
}
C
gcc -O1 -o "$folder/holes" "$folder/holes.c"
"$folder/holes" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
blocks 16384
a hole of 4 KiB: returns 0, bytes 1 0 1, blocks 16384
512 of them: blocks 16384
a hole of a page: returns 0, blocks 12288
SEEK_HOLE from 0: 4 pages on
SEEK_DATA in the hole: 0 pages on: 1
mincore of a page that is there: 0
SEEN
echo "as found, on Linux $(uname -r)"
