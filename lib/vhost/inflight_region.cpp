// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/inflight_region.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/copy_once.hpp"
#include "gmem/guest_memory.hpp"

namespace vballoon::vhost {

Result<UniqueFd> InflightRegion::create() {
  UniqueFd fd(::memfd_create("vballoon-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid() || ::ftruncate(fd.get(), kBytes) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return fail(Code::kHost,
                fmt::format("no memory for an in-flight region: {}", std::strerror(errno)));
  }
  return fd;
}

Result<InflightRegion> InflightRegion::map(int fd, std::uint64_t offset, std::uint64_t bytes) {
  struct stat file {};
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || ::fstat(fd, &file) != 0) {
    return fail(Code::kInvalidArgument,
                "the VMM's in-flight region can be made shorter (no F_SEAL_SHRINK); it is refused");
  }
  // The seal does not forbid holes. A hole gives a huge page back to the pool, and the pool may be
  // empty when the daemon stores there next.
  if (gmem::inspect_backing(fd).host_page != kPageSize) {
    return fail(Code::kInvalidArgument,
                "the VMM's in-flight region is in huge pages; it is refused");
  }
  const auto length = static_cast<std::uint64_t>(file.st_size);
  if (bytes < kBytes || offset % kBytes != 0 || offset > length || length - offset < kBytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("an in-flight region of {} bytes at {} in a file of {}; it is not one "
                            "of ours",
                            bytes, offset, length));
  }
  void* const at =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (at == MAP_FAILED) {
    return fail(Code::kHost, fmt::format("the VMM's in-flight region cannot be mapped: {}",
                                         std::strerror(errno)));
  }
  gmem::keep_out_of_core(std::span(static_cast<std::byte*>(at), kBytes));
  InflightRegion region;
  region.at_.reset(static_cast<Layout*>(at));
  region.read_left();
  return region;
}

void InflightRegion::Unmap::operator()(Layout* at) const noexcept {
  ::munmap(at, kBytes);
}

/// Content of another backend is overwritten.
void InflightRegion::read_left() noexcept {
  Layout found;
  copy_once(reinterpret_cast<std::byte*>(&found), reinterpret_cast<std::byte*>(at_.get()),
            sizeof(found));
  if (found.magic == kMagic) {
    left_ = found.rings;
  } else {
    *at_ = Layout{.magic = kMagic};
  }
}

vm::RingRecord* InflightRegion::ring(std::size_t index) noexcept {
  return at_ != nullptr && index < vm::kRings ? &at_->rings[index] : nullptr;
}

std::optional<vm::RingRecord> InflightRegion::left(std::size_t index) const noexcept {
  if (at_ == nullptr || index >= vm::kRings || left_[index].layout == vm::kNoRing) {
    return std::nullopt;
  }
  return left_[index];
}

}  // namespace vballoon::vhost
