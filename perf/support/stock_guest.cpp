// SPDX-License-Identifier: BSD-3-Clause
#include "support/stock_guest.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "support/figures.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kArena = 256 * kKiB;
constexpr std::uint64_t kBufferAt = kArena;  // a page of its own behind the driver's
constexpr std::uint64_t kSeed = 1;

driver::RamPlan plan_of(const GuestShape& shape) {
  driver::RamPlan plan = driver::flat_ram(shape.bytes);
  plan.huge_page = shape.huge_page;
  return plan;
}

driver::DriverOptions options_of(Ack ack) {
  driver::DriverOptions options;
  // As QEMU's generic device. Nor are there descriptors enough for a thousand more.
  options.protocol_features = ~wire::protocol::kInflightShmfd;
  options.arena_bytes = kArena;
  options.wait = driver::WaitMode::kSpin;
  options.timeout = std::chrono::seconds(60);
  // Two queues: with all five, 1,000 guests would take the daemon more files than many a host lets
  // a process have.
  wire::Features features =
      wire::Features{}.with(wire::Feature::kVhostProtocolFeatures).with(wire::Feature::kVersion1);
  if (ack == Ack::kEarly) features = features.with(wire::Feature::kMustTellHost);
  options.features = features.bits();
  return options;
}

}  // namespace

StockGuest::StockGuest(driver::MessageSocket socket, const GuestShape& shape, Ack ack)
    : ram_(or_give_up(driver::GuestRam::create(plan_of(shape)))),
      driver_(or_give_up(driver::BalloonDriver::start(std::move(socket), ram_, options_of(ack)))),
      first_(std::max(kBufferAt + kPageSize, shape.huge_page)) {
  std::vector<Pfn> all = ram_.pages();
  std::erase_if(all, [this](Pfn pfn) { return to_gpa(pfn).value < first_; });
  pages_ = driver::arrange(std::move(all), shape.order, kSeed);
}

void StockGuest::populate() const {
  if (::fallocate(fd(), 0, 0, static_cast<off_t>(ram_.bytes())) != 0) give_up("too little memory");
}

void StockGuest::touch() const {
  const auto all = ram_.at(Gpa{0}, ram_.bytes());
  if (::madvise(all.data(), all.size(), MADV_POPULATE_WRITE) != 0) give_up("too little memory");
}

void StockGuest::punch(std::uint64_t offset, std::uint64_t bytes) const {
  if (::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                  static_cast<off_t>(bytes)) != 0) {
    give_up("a hole cannot be punched");
  }
}

void StockGuest::punch_all() const {
  punch(first_, ram_.bytes() - first_);
}

void StockGuest::punch_by_page(std::uint64_t pages) const {
  for (const Pfn pfn : std::span(pages_).first(pages)) punch(to_gpa(pfn).value, kPageSize);
}

void StockGuest::begin(driver::Role queue) noexcept {
  role_ = queue;
  rest_ = pages_;
}

bool StockGuest::step() {
  driver::DriverQueue& queue = driver_->queue(role_);
  if (queue.outstanding() != 0 && !queue.poll()) return true;
  if (rest_.empty()) return false;
  const auto turn = rest_.first(std::min(rest_.size(), Vm::kPagesPerBuffer));
  std::memcpy(ram_.at(Gpa{kBufferAt}, turn.size_bytes()).data(), turn.data(), turn.size_bytes());
  const std::array<driver::Segment, 1> segment{driver::Segment{
      .addr = Gpa{kBufferAt}, .len = static_cast<std::uint32_t>(turn.size_bytes())}};
  if (!queue.add(segment)) give_up("no free descriptor");
  queue.publish();
  rest_ = rest_.subspan(turn.size());
  return true;
}

void send_all(Fleet& fleet, driver::Role queue) {
  std::vector<StockGuest*> active;
  for (const auto& guest : fleet) {
    guest->begin(queue);
    active.push_back(guest.get());
  }
  while (!active.empty()) std::erase_if(active, [](StockGuest* guest) { return !guest->step(); });
}

void inflate_all(Fleet& fleet) {
  send_all(fleet, driver::Role::kInflate);
  for (const auto& guest : fleet) {
    while (!guest->freed()) continue;
  }
}

}  // namespace vballoon::perf
