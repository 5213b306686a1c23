// SPDX-License-Identifier: BSD-3-Clause
#include "policy/host/kernel_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "policy/host/figures.hpp"

namespace vballoon::policy {
namespace {

constexpr std::size_t kFirstRoom = 16 * 1024;

ssize_t read_at(int fd, char* to, std::size_t bytes, std::size_t at) noexcept {
  ssize_t got = 0;
  do {
    got = ::pread(fd, to, bytes, static_cast<off_t>(at));
  } while (got < 0 && errno == EINTR);
  return got;
}

}  // namespace

KernelFile::KernelFile(const std::string& path) noexcept
    : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)),
      refused_(fd_.valid() ? 0 : errno) {}

std::optional<std::string_view> KernelFile::read(std::string& buffer) const {
  if (!valid()) {
    errno = refused_;
    return std::nullopt;
  }
  if (buffer.size() < kFirstRoom) buffer.resize(kFirstRoom);
  // The kernel returns long files a few pages at a time. Only a read of 0 bytes is the end.
  for (std::size_t length = 0;;) {
    const ssize_t got = read_at(fd_.get(), &buffer[length], buffer.size() - length, length);
    if (got < 0) return std::nullopt;
    length += static_cast<std::size_t>(got);
    if (got == 0 || length >= kLongest) return std::string_view(buffer).substr(0, length);
    if (length == buffer.size()) buffer.resize(2 * length);
  }
}

std::optional<std::uint64_t> KernelFile::number() const noexcept {
  std::array<char, 64> text{};
  const ssize_t got = read_at(fd_.get(), text.data(), text.size(), 0);
  if (got < 0) return std::nullopt;
  const auto value = to_number(std::string_view(text.data(), static_cast<std::size_t>(got)));
  if (!value) errno = EINVAL;
  return value;
}

}  // namespace vballoon::policy
