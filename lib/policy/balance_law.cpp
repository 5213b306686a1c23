// SPDX-License-Identifier: BSD-3-Clause
#include "policy/balance_law.hpp"

#include <algorithm>
#include <array>

#include "base/units.hpp"
#include "policy/divide.hpp"

namespace vballoon::policy {
namespace {

/// What a guest is to have available, for what it may do before the next turn: a fifth of what it
/// uses, as Hyper-V's buffer is by default.
constexpr std::uint64_t kHeadroomPart = 5;
constexpr std::uint64_t kSmallestHeadroom = 64 * kMiB;
/// How long a guest that showed pressure gives nothing.
constexpr Time kRecovery{10'000};
/// No reversal within it, unless the guest or the host is in need.
constexpr Time kLockOut{10'000};
/// Less than this is not worth a move: the larger of the two.
constexpr std::uint64_t kBandPart = 64;
constexpr std::uint64_t kSmallestBand = 16 * kMiB;
/// Where nobody is in need, a quarter of what could move moves in a turn.
constexpr std::uint64_t kSlowPart = 4;
constexpr std::uint64_t kSmallestStep = 64 * kMiB;
/// An event of host pressure raises the reserve by a quarter, to twice of it at most, and it takes
/// so long until that is forgotten.
constexpr std::uint64_t kAlarmStep = 25;
constexpr std::uint64_t kMostAlarm = 100;
constexpr Time kAlarmForgets{1000};  // a twentieth of the most
constexpr std::uint64_t kForgotten = 5;

std::uint64_t less(std::uint64_t from, std::uint64_t what) noexcept {
  return from - std::min(from, what);
}

std::uint64_t cost_of(const VmObservation& vm, const GuestView& view) noexcept {
  return vm.resident.value_or(view.plugged);
}

std::uint64_t band_of(const VmObservation& vm) noexcept {
  return std::max(vm.guest / kBandPart, kSmallestBand);
}

/// Whether a moment was a short while ago. A clock that jumped back ends it.
bool within(Time since, Time span, Time now) noexcept {
  return now >= since && now - since < span;
}

std::uint64_t slow_step(std::uint64_t amount) noexcept {
  return std::min(amount, std::max(amount / kSlowPart, kSmallestStep));
}

bool in_pool(const VmObservation& vm, std::size_t pool) noexcept {
  return vm.pool == pool || vm.node == pool;
}

}  // namespace

std::vector<Decision> BalanceLaw::decide(const Observation& seen) {
  heed_pressure(seen);
  for (auto& [name, past] : past_) past.seen = false;
  std::vector<Turn> turns;
  turns.reserve(seen.vms.size());
  for (const VmObservation& vm : seen.vms) turns.push_back(begin(vm, seen));
  watch_.forget_gone();
  for (std::size_t i = 0; i < seen.pools.size(); ++i) share_out(seen.pools[i], i, &turns);
  std::vector<Decision> decisions;
  decisions.reserve(turns.size());
  for (const Turn& turn : turns) {
    decisions.push_back(choose(turn, seen));
    remember(turn, decisions.back(), seen.now);
  }
  std::erase_if(past_, [](const auto& entry) { return !entry.second.seen; });
  return decisions;
}

/// A host that reclaims caches is under pressure by the kernel's word, too; that is no news while
/// there is more than enough.
void BalanceLaw::heed_pressure(const Observation& seen) {
  const auto scarce = [](const PoolObservation& pool) {
    return pool.available < 2 * pool.reserve;
  };
  if (seen.host_pressure > 0 && std::any_of(seen.pools.begin(), seen.pools.end(), scarce)) {
    alarm_ = std::min(alarm_ + kAlarmStep, kMostAlarm);
    alarm_at_ = seen.now;
    return;
  }
  if (seen.now < alarm_at_) alarm_at_ = seen.now;
  const auto spans = static_cast<std::uint64_t>((seen.now - alarm_at_) / kAlarmForgets);
  alarm_at_ += spans * kAlarmForgets;
  alarm_ = less(alarm_, std::min<std::uint64_t>(spans, kMostAlarm) * kForgotten);
}

std::uint64_t BalanceLaw::reserve_of(const PoolObservation& pool) const noexcept {
  return pool.reserve + pool.reserve / 100 * alarm_;
}

BalanceLaw::Turn BalanceLaw::begin(const VmObservation& vm, const Observation& seen) {
  Turn turn;
  turn.vm = &vm;
  turn.past = &past_[vm.name];
  turn.past->seen = true;
  turn.view = watch_.look(vm, seen);
  const GuestView& view = turn.view;
  if (view.pressure > 0) turn.past->pressed = seen.now;
  turn.pressed = turn.past->pressed && within(*turn.past->pressed, kRecovery, seen.now);
  turn.floor = floor_of(vm);
  turn.ceiling = ceiling_of(vm);
  turn.headroom = std::max(view.used / kHeadroomPart, kSmallestHeadroom);
  const std::uint64_t more = turn.pressed ? turn.headroom + view.swapped : 0;
  turn.need = std::clamp(view.used + turn.headroom + more, turn.floor, turn.ceiling);
  turn.share = turn.ceiling;
  turn.movable = vm.automatic && vm.running && !vm.inhibited && view.knows && !view.stalled;
  return turn;
}

/// What guests take today and what is left, without the reserve, is what they can have. Those that
/// the law does not move keep what they take.
void BalanceLaw::share_out(const PoolObservation& pool, std::size_t index,
                           std::vector<Turn>* turns) const {
  std::uint64_t budget = pool.available;
  std::uint64_t needs = 0;
  std::vector<Claim> claims;
  std::vector<Turn*> members;
  for (Turn& turn : *turns) {
    if (!in_pool(*turn.vm, index)) continue;
    turn.host_short |= pool.available < reserve_of(pool);
    if (!turn.movable) continue;
    members.push_back(&turn);
    budget += cost_of(*turn.vm, turn.view);
    needs += turn.need;
  }
  budget = less(budget, reserve_of(pool) + pool.swapped);
  const bool enough = needs <= budget;
  for (const Turn* turn : members) {
    claims.push_back({enough ? turn->need : turn->floor, enough ? turn->ceiling : turn->need,
                      turn->view.used, std::max<std::uint64_t>(turn->vm->limits.weight, 1)});
  }
  const auto shares = divide(budget, claims);
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i]->share = std::min(members[i]->share, shares[i]);
  }
}

Decision BalanceLaw::choose(const Turn& turn, const Observation& seen) const {
  const VmObservation& vm = *turn.vm;
  const auto stay = [&vm](Rule rule) { return Decision{vm.name, vm.target, rule, {}, {}}; };
  const std::uint64_t most = less(vm.guest, turn.floor);
  if (!vm.automatic) return stay(Rule::kManual);
  if (!vm.running) return stay(Rule::kNotRunning);
  Decision decision;
  if (vm.target > most) {
    decision = {vm.name, most, Rule::kFloor, {}, {}};
  } else if (vm.inhibited) {
    decision = stay(Rule::kInhibited);
  } else if (turn.view.stalled) {
    decision = stay(Rule::kStalled);
  } else if (!turn.view.knows) {
    decision = stay(Rule::kNoStatistics);
    if (turn.view.pressure > 0) {
      decision = {vm.name, less(vm.target, kSmallestStep), Rule::kGuestNeeds, {}, {}};
    }
  } else {
    const std::uint64_t wanted = vm.guest - turn.share;
    decision = wanted < vm.target ? give(turn, wanted, seen.now) : take(turn, wanted, seen.now);
  }
  decision.signs = turn.view.signs;
  decision.terms = {{"guest_bytes", vm.guest},
                    {"has_bytes", turn.view.plugged},
                    {"uses_bytes", turn.view.used},
                    {"available_bytes", turn.view.available},
                    {"headroom_bytes", turn.headroom},
                    {"needs_bytes", turn.need},
                    {"share_bytes", turn.share},
                    {"floor_bytes", turn.floor},
                    {"ceiling_bytes", turn.ceiling},
                    {"weight", vm.limits.weight},
                    {"host_available_bytes", seen.pools[vm.pool].available},
                    {"host_reserve_bytes", reserve_of(seen.pools[vm.pool])}};
  return decision;
}

/// @pre wanted < target.
Decision BalanceLaw::give(const Turn& turn, std::uint64_t wanted, Time now) {
  const VmObservation& vm = *turn.vm;
  const std::uint64_t amount = vm.target - wanted;
  // At once and whole: giving it in portions is what guests are known to suffer from.
  if (vm.guest - vm.target < turn.need) return {vm.name, wanted, Rule::kGuestNeeds, {}, {}};
  if (amount < band_of(vm)) return {vm.name, vm.target, Rule::kDeadBand, {}, {}};
  if (turn.past->taken && within(*turn.past->taken, kLockOut, now)) {
    return {vm.name, vm.target, Rule::kLockedOut, {}, {}};
  }
  return {vm.name, vm.target - slow_step(amount), Rule::kShare, {}, {}};
}

/// @pre wanted >= target.
Decision BalanceLaw::take(const Turn& turn, std::uint64_t wanted, Time now) {
  const VmObservation& vm = *turn.vm;
  const auto stay = [&vm](Rule rule) { return Decision{vm.name, vm.target, rule, {}, {}}; };
  if (wanted == vm.target) return stay(Rule::kSettled);
  if (turn.share < turn.need) {
    return {vm.name, vm.target + slow_step(wanted - vm.target), Rule::kShortage, {}, {}};
  }
  if (turn.pressed) return stay(Rule::kRecovering);
  // What is under way already comes out of the same.
  const std::uint64_t spare = less(turn.view.available, turn.headroom);
  const std::uint64_t reach = std::min(wanted, std::min(vm.actual, vm.target) + spare);
  if (reach <= vm.target) return stay(Rule::kSettled);
  const std::uint64_t amount = reach - vm.target;
  if (turn.host_short) return {vm.name, reach, Rule::kHostNeeds, {}, {}};
  if (amount < band_of(vm)) return stay(Rule::kDeadBand);
  if (turn.past->given && within(*turn.past->given, kLockOut, now)) return stay(Rule::kLockedOut);
  return {vm.name, vm.target + slow_step(amount), Rule::kShare, {}, {}};
}

void BalanceLaw::remember(const Turn& turn, const Decision& decision, Time now) {
  if (decision.target > turn.vm->target) turn.past->taken = now;
  if (decision.target < turn.vm->target) turn.past->given = now;
}

}  // namespace vballoon::policy
