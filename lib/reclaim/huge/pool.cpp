// SPDX-License-Identifier: BSD-3-Clause
#include "reclaim/huge/pool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "base/units.hpp"

namespace vballoon::reclaim {
namespace {

constexpr std::uint64_t kStatBlock = 512;

UniqueFd open_file(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

/// sysfs makes the text anew for each read of its start.
bool read_number(const UniqueFd& file, std::uint64_t* number) noexcept {
  std::array<char, 32> text;
  const ssize_t n = ::pread(file.get(), text.data(), text.size(), 0);
  return n > 0 && std::from_chars(text.data(), text.data() + n, *number).ec == std::errc{};
}

}  // namespace

std::uint64_t HugePool::holes(int fd) noexcept {
  struct stat file {};
  if (::fstat(fd, &file) != 0) return UINT64_MAX;
  const auto size = static_cast<std::uint64_t>(file.st_size);
  const std::uint64_t there = static_cast<std::uint64_t>(file.st_blocks) * kStatBlock;
  return size > there ? size - there : 0;
}

SysfsPool::SysfsPool(const std::string& folder, std::uint64_t page_bytes) {
  const std::string here = fmt::format("{}/hugepages-{}kB/", folder, page_bytes / kKiB);
  free_ = open_file(here + "free_hugepages");
  reserved_ = open_file(here + "resv_hugepages");
  surplus_ = open_file(here + "surplus_hugepages");
}

std::optional<PoolState> SysfsPool::look() noexcept {
  PoolState state;
  const bool all = read_number(free_, &state.free) && read_number(reserved_, &state.reserved) &&
                   read_number(surplus_, &state.surplus);
  return all ? std::optional(state) : std::nullopt;
}

std::unique_ptr<HugePool> host_pool(std::uint64_t page_bytes) {
  return std::make_unique<SysfsPool>(kPoolsFolder, page_bytes);
}

}  // namespace vballoon::reclaim
