// SPDX-License-Identifier: BSD-3-Clause
#include "state/device_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "base/log.hpp"
#include "file.hpp"

namespace vballoon::state {
namespace {

// No name of a device begins with a dot, so neither is another device's.
std::string file_name(const std::string& device) { return device + ".state"; }
std::string new_name(const std::string& device) { return "." + device + ".new"; }

/// In the order of the program, and whole, for whoever looks after this process's end.
template <typename T>
void put(T& field, T value) noexcept {
  __atomic_store_n(&field, value, __ATOMIC_RELEASE);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

/// Nothing where some of it is in no file: it cannot be known again.
std::optional<std::vector<RegionRecord>> regions_of(const gmem::GuestMemory& memory) {
  std::vector<RegionRecord> records;
  for (const gmem::Region& region : memory.regions()) {
    struct stat file {};
    if (::fstat(region.fd.get(), &file) != 0) return std::nullopt;
    records.push_back({region.first.value, region.bytes, region.file_offset, file.st_dev,
                       file.st_ino});
  }
  if (records.size() > kMaxRegions) return std::nullopt;
  return records;
}

}  // namespace

DeviceState::DeviceState(const Folder* folder, std::string name)
    : folder_(folder), name_(std::move(name)) {
  if (folder_ == nullptr) return;
  VB_CHECK(!name_.empty() && name_.front() != '.' && name_.find('/') == std::string::npos);
  file_ = load();
  if (file_ != nullptr) return;
  next_ = make(nullptr);
  commit(false);
}

DeviceState::~DeviceState() = default;

std::unique_ptr<DeviceState::File> DeviceState::load() const {
  auto file = File::load(*folder_, file_name(name_));
  if (file) return *std::move(file);
  if (file.error().code != Code::kNotFound) {
    log::warn("{}: what was kept of it in {}/{} is not used: {}", name_, folder_->path(),
              file_name(name_), file.error().message);
  }
  return nullptr;
}

std::unique_ptr<DeviceState::File> DeviceState::make(const gmem::GuestMemory* memory) {
  const auto regions = memory != nullptr ? regions_of(*memory) : std::vector<RegionRecord>{};
  if (!regions) return nullptr;
  auto file = File::make(*folder_, new_name(name_), *regions);
  if (file) return *std::move(file);
  complain("write into", file.error().message);
  return nullptr;
}

/// Once, until it works again: how often there is new memory is for the VMM to choose.
void DeviceState::complain(std::string_view what, std::string_view why) {
  if (std::exchange(told_, true)) return;
  log::warn("{}: nothing of it will outlive the daemon: cannot {} {}: {}", name_, what,
            folder_->path(), why);
}

DeviceState::Room DeviceState::room_for(const gmem::GuestMemory& memory) {
  if (folder_ == nullptr) return {};
  const auto regions = regions_of(memory);
  if (file_ != nullptr && !lost() && regions && file_->is_of(*regions)) {
    return {file_->words(), file_->touched(), true};
  }
  next_ = make(&memory);
  if (next_ != nullptr) return {next_->words(), next_->touched(), false};
  // What there is would be taken for this guest's.
  forget();
  give_up_ = true;
  return {};
}

/// The operator's wishes go along. A crash before the new name is there finds the old file whole.
void DeviceState::commit(bool same_guest) noexcept {
  if (std::exchange(give_up_, false)) file_.reset();
  if (next_ == nullptr) return;
  if (file_ != nullptr) {
    const Header& old = file_->header();
    Header& header = next_->header();
    if (same_guest) {
      const auto mine = std::pair(header.fixed, header.fixed_sum);
      header = old;
      std::tie(header.fixed, header.fixed_sum) = mine;
    }
    header.target_set = old.target_set;
    header.target_pages = old.target_pages;
    header.inhibited = old.inhibited;
    header.automatic = old.automatic;
  }
  const int folder = folder_->fd();
  if (::renameat(folder, new_name(name_).c_str(), folder, file_name(name_).c_str()) == 0) {
    told_ = false;
  } else {
    complain("replace a file in", std::strerror(errno));
    // What has the name still is of an older time, and is not to be believed at the next start.
    forget();
  }
  file_ = std::move(next_);
}

void DeviceState::release() {
  if (file_ == nullptr || file_->header().served != 0 || file_->header().fixed.regions == 0) return;
  next_ = make(nullptr);
  commit(false);
}

std::optional<std::uint32_t> DeviceState::target_pages() const noexcept {
  if (file_ == nullptr || file_->header().target_set == 0) return std::nullopt;
  return file_->header().target_pages;
}

void DeviceState::set_target_pages(std::uint32_t pages) noexcept {
  if (file_ == nullptr) return;
  put(file_->header().target_pages, pages);
  put(file_->header().target_set, 1U);
}

bool DeviceState::inhibited() const noexcept {
  return file_ != nullptr && file_->header().inhibited != 0;
}

void DeviceState::set_inhibited(bool on) noexcept {
  if (file_ != nullptr) put(file_->header().inhibited, on ? 1U : 0U);
}

std::optional<AutomaticWord> DeviceState::automatic() const noexcept {
  const std::uint32_t word = file_ != nullptr ? file_->header().automatic : 0;
  if ((word & kSaid) == 0) return std::nullopt;
  return AutomaticWord{(word & kSaidOn) != 0, (word & kConfiguredOn) != 0};
}

void DeviceState::set_automatic(AutomaticWord word) noexcept {
  if (file_ == nullptr) return;
  put(file_->header().automatic,
      kSaid | (word.on ? kSaidOn : 0) | (word.configured ? kConfiguredOn : 0));
}

std::optional<Left> DeviceState::left() const noexcept {
  if (file_ == nullptr || file_->header().served == 0) return std::nullopt;
  const Header& header = file_->header();
  Left left{header.features, header.actual_pages, header.poison, header.complete != 0, {}};
  left.rings = header.ring;
  return left;
}

void DeviceState::begin(std::uint64_t features) noexcept {
  if (file_ == nullptr) return;
  Header& header = file_->header();
  put(header.complete, 0U);
  if (lost() || (header.served != 0 && header.features == features)) return;
  put(header.served, 0U);
  put(header.features, features);
  put(header.features_check, ~features);
  put(header.served, 1U);
}

void DeviceState::forget() noexcept {
  if (file_ == nullptr) return;
  Header& header = file_->header();
  put(header.served, 0U);
  header.ring = {};
  put(header.actual_pages, 0U);
}

bool DeviceState::lost() const noexcept { return file_ != nullptr && file_->lost(); }

/// Not forget(): the marks are the rings', which go on.
void DeviceState::give_up_lost() {
  if (!lost() || file_->header().served == 0) return;
  put(file_->header().served, 0U);
  complain("keep its balloon in", std::strerror(ENOSPC));
}

void DeviceState::set_complete() noexcept {
  if (file_ != nullptr) put(file_->header().complete, 1U);
}

void DeviceState::set_driver_fields(std::uint32_t actual_pages, std::uint32_t poison) noexcept {
  if (file_ == nullptr) return;
  put(file_->header().actual_pages, actual_pages);
  put(file_->header().poison, poison);
}

RingRecord* DeviceState::ring(std::size_t index) noexcept {
  return file_ != nullptr && index < kRings ? &file_->header().ring[index] : nullptr;
}

void DeviceState::remove() noexcept {
  if (folder_ == nullptr) return;
  ::unlinkat(folder_->fd(), file_name(name_).c_str(), 0);
  ::unlinkat(folder_->fd(), new_name(name_).c_str(), 0);
  next_.reset();
  file_.reset();
}

}  // namespace vballoon::state
