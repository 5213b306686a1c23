// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/hostile_memory.cpp - memory tables that cannot be, and files that are not what they
// were said to be.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostile.hpp"

namespace vballoon::soak {
namespace {

namespace wire = wire;

}  // namespace

/// Overlapping, empty, wrapping, of 2^63 bytes, with too few files or too many.
void Hostile::odd_memory_table() {
  std::vector<wire::MemoryRegion> table = ram_->table();
  std::vector<int> fds = ram_->table_fds();
  wire::MemoryRegion& victim = table[below(static_cast<unsigned>(table.size()))];
  switch (below(8)) {
    case 0:
      victim.size = any64();
      break;
    case 1:
      victim.guest_address = any64();
      break;
    case 2:
      victim.mmap_offset = any64();
      break;
    case 3:
      victim.user_address = any64();
      break;
    case 4:
      fds.pop_back();
      break;
    case 5:
      fds.push_back(fds.front());
      break;
    case 6:
      table.resize(below(12)), fds.resize(below(12), fds.front());
      break;
    default:
      table.push_back(table.front());  // overlaps
      fds.push_back(fds.front());
      break;
  }
  static_cast<void>(driver_->front_end().set_mem_table(table, fds));
  nap(2000);
  renew();
}

/// Shorter than the region that is said to be in it.
void Hostile::short_file() {
  if (::ftruncate(ram_->table_fds().back(), static_cast<off_t>(kPageSize * below(16))) != 0) return;
  // From here on no page of this memory may be touched here.
  static_cast<void>(driver_->front_end().set_mem_table(*ram_));
  nap(2000);
  leave();
}

/// While its rings run: the daemon finds out when it reads.
void Hostile::truncate() {
  const auto segment = driver::Segment{.addr = some_gpa(1024), .len = 1024};
  driver::DriverQueue& queue = driver_->queue(driver::Role::kInflate);
  while (queue.free_descriptors() != 0 && queue.add({&segment, 1})) continue;
  queue.publish();
  for (const int fd : ram_->table_fds()) {
    static_cast<void>(::ftruncate(fd, static_cast<off_t>(chance(50) ? 0 : kPageSize * below(512))));
  }
  // From here on no page of this memory may be touched here.
  nap(50'000);
  leave();
}

/// Every file opened again without the right to write.
void Hostile::read_only_memory() {
  std::vector<UniqueFd> files;
  std::vector<int> fds;
  for (const int fd : ram_->table_fds()) {
    files.emplace_back(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_CLOEXEC));
    fds.push_back(files.back().get());
  }
  static_cast<void>(driver_->front_end().set_mem_table(ram_->table(), fds));
  nap(2000);
  renew();
}

}  // namespace vballoon::soak
