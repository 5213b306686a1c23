// SPDX-License-Identifier: BSD-3-Clause
#include "support/memory_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "support/figures.hpp"

namespace vballoon::perf {
namespace {

/// MFD_HUGE_2MB, which glibc does not have: log2 of the size above bit 26.
constexpr unsigned kHuge2MiB = 21U << 26U;
constexpr const char* kMountPoint = "/mnt";

Status host_error(const char* what) {
  return Status{Code::kHost, fmt::format("{}: {}", what, std::strerror(errno))};
}

/// In a mount namespace of our own: gone when this process is, whatever ends it.
Result<UniqueFd> thp_file() {
  static bool mounted = false;
  if (!mounted) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("vballoon-perf", kMountPoint, "tmpfs", 0, "huge=always,size=100%") != 0) {
      return tl::unexpected(host_error("a tmpfs with huge=always takes root"));
    }
    mounted = true;
  }
  UniqueFd fd(::open(kMountPoint, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.valid()) return tl::unexpected(host_error("a file on a tmpfs"));
  return fd;
}

Result<UniqueFd> open_file(Kind kind) {
  if (kind == Kind::kThp) return thp_file();
  const unsigned flags = MFD_CLOEXEC | (kind == Kind::kHugetlb ? MFD_HUGETLB | kHuge2MiB : 0U);
  UniqueFd fd(::memfd_create("vballoon-perf", flags));
  if (!fd.valid()) return tl::unexpected(host_error("memfd_create"));
  return fd;
}

std::uint64_t shmem_huge_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string name; file >> name;) {
    std::uint64_t kib = 0;
    if (name == "ShmemHugePages:" && file >> kib) return kib * kKiB;
  }
  return 0;
}

/// Aligned to 2 MiB, as VMMs map guest RAM: a hole of 2 MiB then takes one page table, and one
/// interrupt to each core that has entries in it.
void* map_aligned(int fd, std::uint64_t bytes) {
  constexpr std::uint64_t kAlign = 2 * kMiB;
  void* const room = ::mmap(nullptr, bytes + kAlign, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return room;
  const auto start = reinterpret_cast<std::uintptr_t>(room);
  const std::uintptr_t at = (start + kAlign - 1) / kAlign * kAlign;
  if (at != start) ::munmap(room, at - start);
  ::munmap(reinterpret_cast<void*>(at + bytes), start + kAlign - at);
  return ::mmap(reinterpret_cast<void*>(at), bytes, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
}

}  // namespace

void MemoryFile::Unmap::operator()(std::byte* address) const noexcept {
  ::munmap(address, bytes);
}

Result<MemoryFile> MemoryFile::create(Kind kind, std::uint64_t bytes) {
  auto fd = open_file(kind);
  if (!fd) return tl::unexpected(fd.error());
  MemoryFile file(*std::move(fd), kind);
  if (::ftruncate(file.fd(), static_cast<off_t>(bytes)) != 0) {
    return tl::unexpected(host_error("ftruncate"));
  }
  void* const at = map_aligned(file.fd(), bytes);
  if (at == MAP_FAILED) return tl::unexpected(host_error("mmap"));
  file.mapping_ = std::unique_ptr<std::byte, Unmap>(static_cast<std::byte*>(at), Unmap{bytes});
  return file;
}

void MemoryFile::populate() const {
  if (kind_ == Kind::kThp) {
    // Written, not allocated: fallocate() would leave small pages.
    if (::madvise(data(), bytes(), MADV_POPULATE_WRITE) != 0) give_up("MADV_POPULATE_WRITE failed");
    ::madvise(data(), bytes(), MADV_DONTNEED);  // of a shared mapping: only our own entries
    return;
  }
  if (::fallocate(fd(), 0, 0, static_cast<off_t>(bytes())) != 0) {
    give_up(fmt::format("{} bytes of memory: {}", bytes(), std::strerror(errno)));
  }
}

void MemoryFile::punch(std::uint64_t offset, std::uint64_t bytes) const {
  if (::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                  static_cast<off_t>(bytes)) != 0) {
    give_up(fmt::format("punching a hole: {}", std::strerror(errno)));
  }
}

std::uint64_t MemoryFile::allocated_bytes() const {
  struct stat file {};
  if (::fstat(fd(), &file) != 0) give_up("fstat failed");
  return static_cast<std::uint64_t>(file.st_blocks) * 512;
}

bool MemoryFile::is_huge() const {
  const std::uint64_t before = shmem_huge_bytes();
  populate();
  const std::uint64_t gained = shmem_huge_bytes() - before;
  punch(0, bytes());
  return gained >= bytes() / 10 * 9;
}

}  // namespace vballoon::perf
