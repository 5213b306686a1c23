#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Of Linux's headers of virtio for programs two are C and no C++: the layout of rings, and the network
# card.
#
# Seen on: linux-libc-dev 6.1.187, g++ 12.
# Guess:   <linux/virtio_ring.h> compiles as C++, as <linux/virtio_balloon.h> does.
# Is:      g++ refuses it: vring_init() is an inline function that assigns void* to other pointers.
#          With VIRTIO_RING_NO_LEGACY defined the header compiles; that leaves out vring_init() and
#          vring_size(), and keeps every structure and flag of both layouts. <linux/virtio_net.h> has
#          a member named `class`; <linux/vhost_types.h> includes the rings, and fails with them.
# So:      a C++ program that holds its own layouts against Linux's defines it before the include.
set -eu
command -v g++ > /dev/null || { echo "needs g++ and linux-libc-dev" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# compiles HEADER [OPTION]
compiles() {
  printf '#include <linux/%s.h>\n' "$1" > "$folder/one.cpp"
  if g++ -fsyntax-only ${2:-} "$folder/one.cpp" 2> /dev/null; then echo "$*: yes"; else echo "$*: no"; fi
}

{
  for header in virtio_balloon virtio_mem virtio_pmem virtio_ring vhost_types virtio_net; do
    compiles "$header"
  done
  compiles virtio_ring -DVIRTIO_RING_NO_LEGACY
  compiles vhost_types -DVIRTIO_RING_NO_LEGACY
} | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
virtio_balloon: yes
virtio_mem: yes
virtio_pmem: yes
virtio_ring: no
vhost_types: no
virtio_net: no
virtio_ring -DVIRTIO_RING_NO_LEGACY: yes
vhost_types -DVIRTIO_RING_NO_LEGACY: yes
SEEN
