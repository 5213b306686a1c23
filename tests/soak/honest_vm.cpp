// SPDX-License-Identifier: BSD-3-Clause
#include "honest_vm.hpp"

#include <chrono>
#include <stdexcept>

#include "driver/canary.hpp"

namespace vballoon::soak {
namespace {

using driver::Role;
using wire::Feature;

constexpr std::uint64_t kBytes = 64 * kMiB;
constexpr std::size_t kPagesPerBuffer = 256;
constexpr std::uint64_t kSeed = 65;
constexpr std::chrono::seconds kPatience{20};

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error("honest VM: " + result.error().message);
  return *std::move(result);
}

/// As Linux under QEMU has it: split rings, and it tells before it uses a page again.
driver::DriverOptions options() {
  driver::DriverOptions options;
  options.features &= ~wire::Features{}.with(Feature::kRingPacked).bits();
  options.wait = driver::WaitMode::kSpin;
  options.timeout = kPatience;
  return options;
}

}  // namespace

HonestVm::HonestVm(const std::string& socket, RunDelay lcore)
    : lcore_(std::move(lcore)),
      ram_(must(driver::GuestRam::create(driver::flat_ram(kBytes)))),
      driver_(must(driver::BalloonDriver::start(
          must(driver::MessageSocket::connect(socket, driver::Deadline(kPatience))), ram_,
          options()))),
      pages_(ram_.pages()) {
  std::erase_if(pages_, [this](Pfn pfn) { return driver_->arena().holds(pfn); });
  pages_.resize(pages_.size() / kPagesPerBuffer * kPagesPerBuffer);
  driver::fill_canaries(ram_, pages_, kSeed);
}

/// In a circle.
std::span<const Pfn> HonestVm::chunk(std::size_t index) const {
  const std::size_t chunks = pages_.size() / kPagesPerBuffer;
  return std::span(pages_).subspan(index % chunks * kPagesPerBuffer, kPagesPerBuffer);
}

void HonestVm::expect(const Result<void>& done) {
  if (done) return;
  ++lost_;
  if (complaint_.empty()) complaint_ = done.error().message;
}

void HonestVm::check(std::span<const Pfn> pages) {
  const driver::CanaryVerdict verdict = driver::check_canaries(ram_, pages, kSeed);
  checked_ += verdict.checked;
  changed_ += verdict.changed;
}

void HonestVm::inflate(std::span<const Pfn> pages, Waits* waits) {
  const std::uint64_t before = lcore_.ns() + own_.ns();
  expect(driver_->inflate(pages));
  const std::uint64_t delay = lcore_.ns() + own_.ns() - before;
  const driver::Histogram latency = driver_->take_traffic(Role::kInflate).latency;
  waits->inflate.merge(latency);
  // One buffer: its latency is the histogram's only value.
  const std::uint64_t took = latency.max();
  waits->inflate_on_cpu.record(took > delay ? took - delay : 0);
}

void HonestVm::turn(Waits* waits) {
  const std::size_t most = pages_.size() / kPagesPerBuffer / 2;
  const auto in = chunk(next_);
  check(in);
  inflate(in, waits);
  ++next_;
  ++buffers_;
  if (inside_ < most) {
    ++inside_;
  } else {
    const auto out = chunk(next_ - 1 - inside_);
    expect(driver_->deflate(out));
    waits->deflate.merge(driver_->take_traffic(Role::kDeflate).latency);
    driver::fill_canaries(ram_, out, kSeed);
    ++buffers_;
  }
  // A stock guest does after each buffer; more rarely here, so that buffers are what is counted.
  if (next_ % 16 != 0) return;
  expect(driver_->write_actual(static_cast<std::uint32_t>(inside_ * kPagesPerBuffer)));
  const auto begin = std::chrono::steady_clock::now();
  const auto target = driver_->num_pages();
  if (!target) expect(tl::unexpected(target.error()));
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - begin;
  waits->config.record(static_cast<std::uint64_t>(took.count()));
}

void HonestVm::check_all() {
  const std::size_t chunks = pages_.size() / kPagesPerBuffer;
  for (std::size_t i = next_; i < next_ + chunks - inside_; ++i) check(chunk(i));
}

}  // namespace vballoon::soak
