// SPDX-License-Identifier: BSD-3-Clause
#include "keep/sealed_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vballoon::keep {
namespace {

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;

}  // namespace

UniqueFd make_sealed(const char* name, std::size_t bytes) noexcept {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid() || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
    return {};
  }
  return fd;
}

bool is_sealed(int fd, std::size_t bytes) noexcept {
  struct stat info {};
  return (::fcntl(fd, F_GET_SEALS) & kSeals) == kSeals && ::fstat(fd, &info) == 0 &&
         info.st_size == static_cast<off_t>(bytes);
}

std::byte* map_sealed(int fd, std::size_t bytes) noexcept {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}

}  // namespace vballoon::keep
