// SPDX-License-Identifier: BSD-3-Clause
#include "keep/life_sign.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "keep/boot_clock.hpp"

namespace vballoon::keep {
namespace {

constexpr std::string_view kLifeName = "life";
constexpr std::uint32_t kLifeMagic = 0x65664c56;  // "VLfe"
constexpr std::uint32_t kLayout = 1;
constexpr std::size_t kVersionBytes = 32;

}  // namespace

/// One writer. The next process reads it when the writer has ended.
struct LifeSign::Page {
  std::uint32_t magic = 0;
  std::uint32_t layout = 0;
  std::atomic<std::uint64_t> at_ms{0};  // 0: no sign yet
  std::array<char, kVersionBytes> version{};
};

LifeSign::Page* LifeSign::map(int fd) noexcept {
  struct stat file {};
  if (::fstat(fd, &file) != 0 || file.st_size < static_cast<off_t>(sizeof(Page))) return nullptr;
  void* const at = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<Page*>(at);
}

Result<LifeSign> LifeSign::begin(Inherited& inherited, const Store& store,
                                 std::string_view version) {
  if (const auto left = inherited.take(kLifeName)) {
    if (Page* const page = map(left->get())) {
      LifeSign sign(page, version);
      sign.read_earlier();
      return sign;
    }
    store.remove(kLifeName);
  }
  const UniqueFd made(::memfd_create("vballoon-life", MFD_CLOEXEC));
  const bool sized = made.valid() && ::ftruncate(made.get(), sizeof(Page)) == 0;
  Page* const page = sized ? map(made.get()) : nullptr;
  if (page == nullptr) {
    return fail(Code::kHost, fmt::format("no page for signs of life: {}", std::strerror(errno)));
  }
  LifeSign sign(page, version);
  if (auto ok = store.add(kLifeName, made.get()); !ok) return tl::unexpected(ok.error());
  return sign;
}

void LifeSign::read_earlier() {
  const std::uint64_t at_ms = page_->at_ms.load();
  if (page_->magic != kLifeMagic || page_->layout != kLayout || at_ms == 0) return;
  const std::size_t bytes = ::strnlen(page_->version.data(), kVersionBytes);
  earlier_.emplace(Earlier{at_ms, std::string(page_->version.data(), bytes)});
}

LifeSign::LifeSign(LifeSign&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)),
      version_(std::move(other.version_)),
      earlier_(std::move(other.earlier_)) {}

LifeSign::~LifeSign() {
  if (page_ != nullptr) ::munmap(page_, sizeof(Page));
}

void LifeSign::beat() noexcept {
  if (!version_.empty()) {
    page_->version = {};
    version_.copy(page_->version.data(), kVersionBytes);
    page_->layout = kLayout;
    page_->magic = kLifeMagic;
    version_.clear();
  }
  page_->at_ms.store(boot_ms(), std::memory_order_relaxed);
}

}  // namespace vballoon::keep
