// SPDX-License-Identifier: BSD-3-Clause
//
// driver/large_setup.cpp - the balloon of large pages, from the connection to running rings.
#include <fmt/format.h>

#include <cstring>

#include "driver/large_balloon_driver.hpp"

namespace vballoon::driver {
namespace {

using wire::large::Config;

constexpr wire::Features kLargeFeatures{(std::uint64_t{1} << wire::large::kFeatures) - 1};

/// Header, pages, count: all that a message has is in one piece for reading and one for writing.
constexpr unsigned kMessageSegments = 2;
/// Linux's array in device 5; the plain form does not say how many a device takes.
constexpr std::uint32_t kPlainPages = 256;
constexpr std::uint64_t kScratchAlign = 64;

}  // namespace

LargeBalloonDriver::LargeBalloonDriver(MessageSocket socket, const GuestRam& ram,
                                       LargeOptions options)
    : VirtioDriver(std::move(socket), ram, options.timeout, kLargeFeatures),
      options_(std::move(options)) {}

Result<std::unique_ptr<LargeBalloonDriver>> LargeBalloonDriver::start(MessageSocket socket,
                                                                      const GuestRam& ram,
                                                                      LargeOptions options) {
  std::unique_ptr<LargeBalloonDriver> driver(
      new LargeBalloonDriver(std::move(socket), ram, std::move(options)));
  if (auto up = driver->connect(); !up) return tl::unexpected(up.error());
  if (auto up = driver->set_up(); !up) return tl::unexpected(up.error());
  return driver;
}

unsigned LargeBalloonDriver::indirect_entries(Role role) const noexcept {
  return role == Role::kToDevice ? kMessageSegments : 0;
}

Result<void> LargeBalloonDriver::lay_out_buffers(Arena& arena) {
  if (!acked().has(wire::Feature::kVersion1)) {
    return fail(Code::kUnavailable, "the device does not offer VIRTIO_F_VERSION_1");
  }
  auto requests = RequestBuffers::create(ram(), arena, options_.requests);
  auto sender = LargeSender::create(ram(), arena, options_.depth + 1);  // one for statistics
  const auto scratch = arena.take(kScratchBytes, kScratchAlign);
  if (!requests) return tl::unexpected(requests.error());
  if (!sender) return tl::unexpected(sender.error());
  if (!scratch) return tl::unexpected(scratch.error());
  requests_.emplace(*std::move(requests));
  sender_.emplace(*std::move(sender));
  scratch_ = *scratch;
  return {};
}

Result<std::uint32_t> LargeBalloonDriver::read_field(std::size_t offset) {
  const auto bytes = read_config(static_cast<std::uint32_t>(offset), sizeof(std::uint32_t));
  if (!bytes) return tl::unexpected(bytes.error());
  std::uint32_t value = 0;
  std::memcpy(&value, bytes->data(), sizeof(value));
  return value;
}

/// DRV-2.
Result<void> LargeBalloonDriver::read_fields() {
  const auto into = [this](std::uint32_t& field, std::size_t offset) {
    return read_field(offset).map([&field](std::uint32_t value) { field = value; });
  };
  const bool any = (acked().bits() & kLargeFeatures.bits()) != 0;
  config_ = Config{.max_pages = kPlainPages};
  if (auto read = into(config_.page_shift, offsetof(Config, page_shift)); !read) return read;
  if (config_.page_shift >= wire::large::kMinPageShift) {
    config_.size_mask = 1U << ((config_.page_shift - wire::large::kMinPageShift) % 32);
  }
  if (took(wire::large::Feature::kNode)) {
    if (auto read = into(config_.node, offsetof(Config, node)); !read) return read;
  }
  if (any) {
    if (auto read = into(config_.max_pages, offsetof(Config, max_pages)); !read) return read;
  }
  if (!took(wire::large::Feature::kSizes)) return {};
  return into(config_.size_mask, offsetof(Config, size_mask));
}

Result<void> LargeBalloonDriver::prepare() {
  balloon_.clear();
  target_.reset();
  stats_wanted_.clear();
  resizes_ = 0;
  if (auto read = read_fields(); !read) return read;
  if (!wire::large::is_valid(config_)) {
    return fail(Code::kInvalidArgument,
                fmt::format("the device's configuration cannot be: page_shift {}, max_pages {}, "
                            "size_mask {:#x}; is it a balloon of large pages?",
                            config_.page_shift, config_.max_pages, config_.size_mask));
  }
  requests_->prime(queue(Role::kFromDevice));
  return {};
}

Result<void> LargeBalloonDriver::reset(LargeOptions options) {
  return stop_for_good().and_then([this, &options] {
    options_ = std::move(options);
    return set_up();
  });
}

std::vector<unsigned> LargeBalloonDriver::sizes() const {
  const bool sizes = took(wire::large::Feature::kSizes);
  std::vector<unsigned> shifts;
  for (unsigned shift = wire::large::kMaxPageShift; shift >= wire::large::kMinPageShift; --shift) {
    if (wire::large::offers_size(config_, sizes, shift)) shifts.push_back(shift);
  }
  return shifts;
}

}  // namespace vballoon::driver
