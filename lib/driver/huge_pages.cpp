// SPDX-License-Identifier: BSD-3-Clause
#include "driver/huge_pages.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace vballoon::driver {
namespace {

/// Of the size that memfd_create(MFD_HUGETLB) takes.
constexpr const char* kPool = "/proc/sys/vm/nr_hugepages";

std::uint64_t pool_size(const UniqueFd& file) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(file.get(), text.data(), text.size(), 0);
  std::uint64_t pages = 0;
  if (n > 0) std::from_chars(text.data(), text.data() + n, pages);
  return pages;
}

void set_pool_size(const UniqueFd& file, std::uint64_t pages) {
  const std::string text = std::to_string(pages);
  static_cast<void>(::pwrite(file.get(), text.data(), text.size(), 0) == 0);
}

}  // namespace

Result<HugePages> HugePages::get(std::uint64_t pages) {
  const auto no = [pages] {
    return fail(Code::kHost, fmt::format("the kernel does not provide {} huge pages more "
                                         "(vm.nr_hugepages; root may ask for them)",
                                         pages));
  };
  UniqueFd file(::open(kPool, O_RDWR | O_CLOEXEC));
  if (!file.valid() || ::flock(file.get(), LOCK_EX) != 0) return no();
  const std::uint64_t before = pool_size(file);
  set_pool_size(file, before + pages);
  const std::uint64_t now = pool_size(file);
  HugePages got(std::move(file), now > before ? now - before : 0);
  if (now < before + pages) return no();
  return got;
}

HugePages::HugePages(UniqueFd file, std::uint64_t added) noexcept
    : file_(std::move(file)), added_(added) {}

HugePages::HugePages(HugePages&& other) noexcept
    : file_(std::move(other.file_)), added_(std::exchange(other.added_, 0)) {}

HugePages::~HugePages() {
  if (!file_.valid() || added_ == 0) return;
  const std::uint64_t now = pool_size(file_);
  set_pool_size(file_, now > added_ ? now - added_ : 0);
}

}  // namespace vballoon::driver
