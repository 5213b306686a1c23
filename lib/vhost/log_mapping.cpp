// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/log_mapping.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "gmem/backing_check.hpp"
#include "gmem/guest_memory.hpp"

namespace vballoon::vhost {
namespace {

/// Enough for 64 TiB of guest, at a bit a page.
constexpr std::uint64_t kLargest = 2 * kGiB;

}  // namespace

Result<LogMapping> LogMapping::map(int fd, std::uint64_t bytes, std::uint64_t offset) {
  const auto refuse = [&](const char* why) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("a dirty log of {:#x} bytes at {:#x} of its file, {}", bytes, offset, why));
  };
  if (bytes == 0 || bytes > kLargest) return refuse("more or less than any guest needs");
  if (offset % kPageSize != 0) return refuse("which is not the beginning of a page");
  if (auto backed = gmem::check_backing(fd); !backed) return refuse("which is no memory");
  // If a huge page is lost, 4 KiB of zeroes cannot be mapped into its place.
  if (gmem::inspect_backing(fd).host_page != kPageSize) return refuse("in huge pages");
  struct stat file {};
  const bool known = ::fstat(fd, &file) == 0;
  const auto length = static_cast<std::uint64_t>(file.st_size);
  if (!known || offset > length || bytes > length - offset) return refuse("which is shorter");
  void* const at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (at == MAP_FAILED) return refuse(std::strerror(errno));
  LogMapping mapping;
  mapping.bytes_ = {static_cast<std::byte*>(at), bytes};
  gmem::keep_out_of_core(mapping.bytes_);
  return mapping;
}

LogMapping::~LogMapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

LogMapping& LogMapping::operator=(LogMapping&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace vballoon::vhost
