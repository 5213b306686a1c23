// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/libc_mappings.cpp - mmap(2) in place of the C library's: the program's symbols come first.
//                           Calls that are not librte_vhost's go on to the kernel unchanged.
// Thread: the vhost event thread, and any other.
// Why:    a shared mapping of hugetlbfs reserves pages of the pool for the file's holes. So a
//         daemon that starts while VMs have balloons would take back what they gave. Where the pool
//         has not as much left, it could not map their memory at all. Nothing is lost without the
//         reservation: of guest memory the daemon touches what the guest has used, or what the VMM
//         has reserved. A page that is not there reads as zeroes (gmem/lost_memory.hpp).
// Source: mmap(2), MAP_NORESERVE; Linux Documentation/mm/hugetlbfs_reserv.rst; DPDK
//         lib/vhost/vhost_user.c, vhost_user_mmap_region() (22.11 to 25.11).
#include "vhost/libc_mappings.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vhost/event_thread.hpp"

namespace vballoon::vhost {

bool can_be_mapped(int fd, std::uint64_t bytes) noexcept {
  constexpr int kFlags = MAP_SHARED | MAP_NORESERVE;
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kFlags, fd, 0);
  if (at != MAP_FAILED) ::munmap(at, bytes);
  return at != MAP_FAILED;
}

}  // namespace vballoon::vhost

#ifdef __SANITIZE_THREAD__
// ThreadSanitizer learns from it that nobody has used this memory before.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" void* __interceptor_mmap64(void* at, size_t bytes, int protection, int flags, int fd,
                                      off64_t offset);
#endif

extern "C" void* mmap64(void* at, size_t bytes, int protection, int flags, int fd,
                        off64_t offset) noexcept {
  const bool guest_memory = fd >= 0 && (flags & MAP_SHARED) != 0;
  if (guest_memory && vballoon::vhost::on_event_thread()) flags |= MAP_NORESERVE;
#ifdef __SANITIZE_THREAD__
  return __interceptor_mmap64(at, bytes, protection, flags, fd, offset);
#else
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, fd, offset));
#endif
}
