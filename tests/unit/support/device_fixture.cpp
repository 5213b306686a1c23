// SPDX-License-Identifier: BSD-3-Clause
#include "support/device_fixture.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>

namespace vballoon::datapath {

DeviceFixture::DeviceFixture(unsigned ring_size, reclaim::ReclaimLimits limits,
                             const std::optional<wire::large::Config>& large)
    : ram_({{Gpa{0}, kLowBytes, 0}, {Gpa{kHighFirst}, kHighBytes, kHighInFile}}),
      config_(large),
      path_(config_, limits) {
  for (std::size_t role = 0; role < rings_.size(); ++role) {
    const Gpa base{role * 2 * kMiB};
    rings_[role] = std::make_unique<test::DriverRing>(ram_, base, ring_size);
    call_fds_[role] = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }
  path_.set_memory(ram_.map());
  use_own_sink();
}

void DeviceFixture::driver_tells() {
  path_.set_features(wire::Features{}.with(wire::Feature::kMustTellHost));
}

QueueSetup DeviceFixture::setup_of(Role role, std::uint16_t position, bool resumed) {
  QueueSetup setup;
  setup.index = static_cast<unsigned>(role);
  setup.areas = ring(role).areas();
  setup.position = position;
  setup.call_fd = call_fds_[index(role)].get();
  setup.resumed = resumed;
  return setup;
}

void DeviceFixture::start(Role role, std::uint16_t position, bool resumed) {
  const auto started = path_.start(role, setup_of(role, position, resumed));
  ASSERT_TRUE(started.has_value()) << started.error().message;
  static_cast<void>(take_calls(role));
}

void DeviceFixture::start_all() {
  for (const Role role : kAllRoles) start(role);
}

test::Piece DeviceFixture::put_pfns(Gpa at, const std::vector<std::uint32_t>& pfns) {
  if (!pfns.empty()) std::memcpy(ram_.at(at), pfns.data(), pfns.size() * sizeof(std::uint32_t));
  return {at, static_cast<std::uint32_t>(pfns.size() * sizeof(std::uint32_t)), false};
}

void DeviceFixture::send_pfns(Role role, std::uint16_t head,
                              const std::vector<std::uint32_t>& pfns) {
  // A place of its own for each head: 64 of them in the 2 MiB of a role.
  const Gpa at{buffers(role).value + head % 64 * 32 * kKiB};
  ring(role).send(head, {put_pfns(at, pfns)});
}

std::uint64_t DeviceFixture::take_calls(Role role) {
  std::uint64_t calls = 0;
  if (::read(call_fds_[index(role)].get(), &calls, sizeof(calls)) != sizeof(calls)) return 0;
  return calls;
}

unsigned DeviceFixture::poll_until_idle() {
  constexpr unsigned kFarTooMany = 1'000'000;
  unsigned passes = 0;
  while (passes < kFarTooMany && path_.poll()) ++passes;
  EXPECT_LT(passes, kFarTooMany);
  return passes;
}

std::set<std::uint64_t> DeviceFixture::file_pages(const std::vector<std::uint32_t>& pages) {
  std::set<std::uint64_t> in_file;
  for (const std::uint32_t page : pages) in_file.insert(file_page(page));
  return in_file;
}

std::vector<std::uint32_t> pages_from(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint32_t> pages;
  for (std::uint64_t n = 0; n < count; ++n) pages.push_back(DeviceFixture::page(first + n));
  return pages;
}

}  // namespace vballoon::datapath
