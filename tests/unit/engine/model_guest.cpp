// SPDX-License-Identifier: BSD-3-Clause
#include "model_guest.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace vballoon::test {
namespace {

using datapath::DeviceFixture;
using wire::Role;

constexpr std::array<Role, 3> kRoles{Role::kInflate, Role::kDeflate, Role::kReport};
/// Of a page: a hole is never less than all of it.
constexpr std::array<std::size_t, 3> kWords{0, 255, 511};

}  // namespace

ModelGuest::ModelGuest(unsigned seed, bool tells, reclaim::ReclaimLimits limits)
    : tells_(tells), random_(seed), f_(limits), pages_(kPages) {
  if (tells) f_.driver_tells();
  for (const Role role : kRoles) f_.start(role);
  for (std::uint32_t n = 0; n < kPages; ++n) write_canary(n);
}

bool ModelGuest::is_guests(std::uint32_t n) const {
  const Owner owner = pages_[n].owner;
  return owner == Owner::kGuest || owner == Owner::kUntold || owner == Owner::kTelling;
}

std::uint64_t* ModelGuest::words(std::uint32_t n) const {
  const Gpa gpa = to_gpa(Pfn{DeviceFixture::page(kFirst + n)});
  return reinterpret_cast<std::uint64_t*>(const_cast<DeviceFixture&>(f_).ram().at(gpa));
}

void ModelGuest::write_canary(std::uint32_t n) {
  pages_[n].canary = (++generation_ << 16) + n + 1;
  for (const std::size_t word : kWords) words(n)[word] = pages_[n].canary;
}

void ModelGuest::check(std::uint32_t n) {
  if (!is_guests(n)) return;
  for (const std::size_t word : kWords) {
    if (words(n)[word] == pages_[n].canary || !ok_) continue;
    ok_ = false;
    ADD_FAILURE() << "page " << n << " is the guest's, owner state "
                  << static_cast<int>(pages_[n].owner) << ", and holds " << words(n)[word];
  }
}

void ModelGuest::check_all() {
  for (std::uint32_t n = 0; n < kPages; ++n) check(n);
}

bool ModelGuest::step() {
  switch (below(10)) {
    case 0:
    case 1:
    case 2:
      send_pfns(Role::kInflate, pick_for_inflate());
      break;
    case 3:
    case 4:
      send_pfns(Role::kDeflate, pick_for_deflate());
      break;
    case 5:
      // As compaction does it: a page for another.
      send_pfns(Role::kInflate, {static_cast<std::uint32_t>(below(kPages))});
      send_pfns(Role::kDeflate, {static_cast<std::uint32_t>(below(kPages))});
      break;
    case 6:
      send_report();
      break;
    case 7:
      if (!tells_) use_untold();
      break;
    default:
      // A stock driver sleeps until its buffer comes back.
      settle(kRoles[below(kRoles.size())]);
  }
  for (const Role role : kRoles) collect(role);
  for (int i = 0; i < 20; ++i) check(static_cast<std::uint32_t>(below(kPages)));
  return ok_;
}

std::optional<std::uint16_t> ModelGuest::free_head(Role role) {
  auto& buffers = in_flight_[role];
  for (std::uint16_t head = 0; head < kOutstanding; ++head) {
    if (!buffers.contains(head)) return head;
  }
  return std::nullopt;
}

ModelGuest::Pages ModelGuest::pick_for_inflate() {
  Pages pages;
  const std::size_t count = std::array<std::size_t, 4>{1, 16, 256, 600}[below(4)];
  const bool fragments = below(3) == 0;
  const bool down = below(3) == 0;
  auto n = static_cast<std::uint32_t>(below(kPages));
  for (std::size_t i = 0; i < count; ++i) {
    pages.push_back(n);
    n = fragments ? static_cast<std::uint32_t>(below(kPages))
                  : (n + (down ? kPages - 1 : 1)) % kPages;
  }
  return pages;
}

ModelGuest::Pages ModelGuest::pick_for_deflate() {
  Pages pages;
  auto n = static_cast<std::uint32_t>(below(kPages));
  for (std::size_t left = below(4) == 0 ? 256 : below(20); left > 0; --left, n = (n + 1) % kPages) {
    pages.push_back(n);
  }
  return pages;
}

/// Sends those of the pages that are in a state to be sent.
void ModelGuest::send_pfns(Role role, Pages pages) {
  const auto head = free_head(role);
  if (!head) return;
  Pages sent;
  std::vector<std::uint32_t> pfns;
  for (const std::uint32_t n : pages) {
    Owner& owner = pages_[n].owner;
    if (role == Role::kInflate) {
      if (owner != Owner::kGuest && owner != Owner::kUntold) continue;
      owner = Owner::kInflating;
    } else {
      if (owner != Owner::kBalloon && owner != Owner::kUntold) continue;
      owner = owner == Owner::kBalloon ? Owner::kDeflating : Owner::kTelling;
    }
    sent.push_back(n);
    pfns.push_back(DeviceFixture::page(kFirst + n));
  }
  if (sent.empty()) return;
  f_.send_pfns(role, *head, pfns);
  in_flight_[role].emplace(*head, std::move(sent));
}

void ModelGuest::send_report() {
  const auto head = free_head(Role::kReport);
  if (!head) return;
  Pages sent;
  const auto first = static_cast<std::uint32_t>(below(kPages));
  const std::size_t most = below(2) == 0 ? 512 : 1 + below(8);
  for (std::uint32_t n = first; n < kPages && sent.size() < most; ++n) {
    if (pages_[n].owner != Owner::kGuest) break;
    pages_[n].owner = Owner::kReported;
    sent.push_back(n);
  }
  if (sent.empty()) return;
  f_.ring(Role::kReport)
      .send(*head, {{to_gpa(Pfn{DeviceFixture::page(kFirst + first)}),
                     static_cast<std::uint32_t>(pages_to_bytes(sent.size())), true}});
  in_flight_[Role::kReport].emplace(*head, std::move(sent));
}

void ModelGuest::use_untold() {
  for (int i = 0; i < 20; ++i) {
    const auto n = static_cast<std::uint32_t>(below(kPages));
    if (pages_[n].owner != Owner::kBalloon) continue;
    pages_[n].owner = Owner::kUntold;
    write_canary(n);
  }
}

void ModelGuest::collect(Role role) {
  for (const std::uint32_t id : f_.ring(role).collect()) {
    const auto at = in_flight_[role].find(static_cast<std::uint16_t>(id));
    if (at == in_flight_[role].end()) {
      ok_ = false;
      ADD_FAILURE() << wire::role_name(role) << ": buffer " << id << " came back twice";
      return;
    }
    for (const std::uint32_t n : at->second) came_back(role, n);
    in_flight_[role].erase(at);
    ++returned_;
  }
}

void ModelGuest::came_back(Role role, std::uint32_t n) {
  Page& page = pages_[n];
  if (role == Role::kInflate) {
    page.owner = Owner::kBalloon;
    return;
  }
  const bool kept = page.owner == Owner::kTelling;
  page.owner = Owner::kGuest;
  if (kept) {
    check(n);
  } else {
    write_canary(n);
  }
}

void ModelGuest::settle(Role role) {
  while (ok_ && !in_flight_[role].empty()) {
    collect(role);
    std::this_thread::yield();
  }
}

void ModelGuest::settle() {
  for (const Role role : kRoles) settle(role);
}

void ModelGuest::restart(bool new_driver) {
  for (const Role role : kRoles) {
    if (new_driver) f_.ring(role).begin_at(0);
    f_.start(role, new_driver ? 0 : f_.ring(role).used_idx(), !new_driver);
  }
}

void ModelGuest::pause() {
  for (const Role role : kRoles) {
    const std::uint16_t position = f_.path().stop(role);
    if (position == f_.ring(role).used_idx()) continue;
    ok_ = false;
    ADD_FAILURE() << wire::role_name(role) << " stopped with a buffer in hand";
  }
  restart(false);
}

void ModelGuest::change_memory() {
  for (const Role role : kRoles) static_cast<void>(f_.path().stop(role));
  auto specs = f_.ram().specs();
  if (below(4) != 0) {
    // The same file, cut in two at any page: blocks now end where they did not.
    const std::uint64_t cut = pages_to_bytes(kFirst + below(kPages));
    gmem::RegionSpec upper = specs[1];
    upper.first.value += cut;
    upper.bytes -= cut;
    upper.host += cut;
    upper.file_offset += cut;
    specs[1].bytes = cut;
    specs.push_back(upper);
  }
  f_.path().set_memory(gmem::GuestMemory::create(specs).value());
  restart(false);
}

void ModelGuest::reset() {
  for (const Role role : kRoles) static_cast<void>(f_.path().stop(role));
  check_all();
  f_.path().empty_balloon();
  in_flight_.clear();
  for (std::uint32_t n = 0; n < kPages; ++n) {
    if (is_guests(n)) {
      pages_[n].owner = Owner::kGuest;
      continue;
    }
    pages_[n].owner = Owner::kGuest;
    write_canary(n);
  }
  restart(true);
}

void ModelGuest::check_population() {
  const auto inside = std::count_if(pages_.begin(), pages_.end(), [](const Page& page) {
    return page.owner == Owner::kBalloon || page.owner == Owner::kUntold;
  });
  const std::uint64_t population = f_.counters().ballooned_pages.get();
  EXPECT_EQ(population, static_cast<std::uint64_t>(inside));
  ok_ = ok_ && population == static_cast<std::uint64_t>(inside);
}

void ModelGuest::check_given_back() {
  for (std::uint32_t n = 0; n < kPages; ++n) {
    if (pages_[n].owner != Owner::kBalloon) continue;
    for (const std::size_t word : kWords) {
      ASSERT_EQ(words(n)[word], 0U) << "page " << n << " is in the balloon and was kept";
    }
  }
}

}  // namespace vballoon::test
