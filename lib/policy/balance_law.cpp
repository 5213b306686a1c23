// SPDX-License-Identifier: BSD-3-Clause
#include "policy/balance_law.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "base/units.hpp"
#include "policy/divide.hpp"

namespace vballoon::policy {
namespace {

/// A guest counts as using the most that it used within the last one to two spans, because a
/// program that ends is often followed by another one.
constexpr Time kPeakSpan{2'000};
/// Headroom is what a guest is to have available until the next turn: a fifth of what it uses, the
/// default of Hyper-V's memory buffer.
constexpr std::uint64_t kHeadroomPart = 5;
constexpr std::uint64_t kSmallestHeadroom = 64 * kMiB;
/// A guest cannot do without a quarter of its headroom: with less its kernel reclaims all the time.
constexpr std::uint64_t kBarePart = 4;
/// A guest that grows has a headroom of twice its growth since the look before: as much until the
/// next look, and as much while its balloon follows.
constexpr std::uint64_t kGrowthTimes = 2;
/// Memory given to a guest in need is not taken from it for so long, or the guest would have to ask
/// again.
constexpr Time kSettles{2'000};
/// A guest that has too little for so long gets memory from guests that came before it.
constexpr Time kSqueezed{3'000};
/// A guest that showed pressure gives nothing for so long, unless the host is in need.
constexpr Time kRecovery{10'000};
/// A guest that was pressed keeps what it lacked for so long, the time for which the law pressure
/// leaves guests alone. Then that margin fades within the same time.
constexpr Time kMargin{60'000};
/// More than any guest lacks.
constexpr std::uint64_t kMostMargin = std::uint64_t{1} << 50;
/// A move is not reversed within this time, unless the guest or the host is in need.
constexpr Time kLockOut{10'000};
/// The dead band: the larger of a 64th of the guest and 16 MiB. A smaller move is not made. A move
/// back must be kBackBands times as large, because the wavering of all guests together ends in the
/// shares of those that have most.
constexpr std::uint64_t kBandPart = 64;
constexpr std::uint64_t kSmallestBand = 16 * kMiB;
constexpr std::uint64_t kBackBands = 4;
/// Shares leave an eighth of the reserve above the reserve, or every waver would go below it.
constexpr std::uint64_t kAimPart = 8;
/// Memory above two reserves, and above an eighth of the pool, is promised twice.
constexpr std::uint64_t kComfort = 2;
constexpr std::uint64_t kComfortPart = 8;
/// A quarter of the reserve is kept even where guests would have to swap for it.
constexpr std::uint64_t kLastPart = 4;
/// Where neither guest nor host is in need, a quarter of what could move moves in a turn.
constexpr std::uint64_t kSlowPart = 4;
constexpr std::uint64_t kSmallestStep = 64 * kMiB;

/// The names of the figures that explain a decision. The last two figures are there only where the
/// VM's pool is known.
constexpr std::array<std::string_view, Terms::kMost> kTerms{
    "guest_bytes",       "has_bytes",     "uses_bytes",   "available_bytes",
    "headroom_bytes",    "needs_bytes",   "margin_bytes", "share_bytes",
    "floor_bytes",       "ceiling_bytes", "weight",       "host_available_bytes",
    "host_reserve_bytes"};

/// What the guest takes of the host and could give. Memory that the guest says to have given, but
/// still takes, is not counted on.
std::uint64_t cost_of(const VmObservation& vm, const GuestView& view) noexcept {
  return std::min(vm.resident.value_or(view.plugged), view.plugged);
}

/// What the guest has when its balloon is at its target.
std::uint64_t granted(const VmObservation& vm) noexcept {
  return less(vm.guest, vm.target);
}

std::uint64_t band_of(const VmObservation& vm) noexcept {
  return std::max(vm.guest / kBandPart, kSmallestBand);
}

/// Whether `since` lies less than `span` back. After a clock that jumped back: no.
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

BalanceLaw::BalanceLaw(keep::Book* book) : past_(book) {
  if (book != nullptr) alarm_ = std::launder(reinterpret_cast<Alarm*>(book->front()));
}

void BalanceLaw::Past::take_up(const Observation& seen) noexcept {
  watch.take_up(seen);
  for (Moment* const moment : {&pressed, &taken, &given, &needed, &squeezed}) {
    moment->doubt(seen.now);
  }
  span = possible(span, seen.now);
  margin = std::min(margin, kMostMargin);
}

std::vector<Decision> BalanceLaw::decide(const Observation& seen) {
  if (!std::exchange(begun_, true)) alarm_->take_up(seen.now);
  alarm_->heed(seen);
  std::vector<Turn> turns;
  turns.reserve(seen.vms.size());
  for (const VmObservation& vm : seen.vms) turns.push_back(begin(vm, seen));
  for (std::size_t i = 0; i < seen.pools.size(); ++i) {
    share_out(seen.pools[i], i, &turns);
    look_at(seen.pools[i], i, &turns);
  }
  std::vector<Decision> decisions;
  decisions.reserve(turns.size());
  for (Turn& turn : turns) {
    decisions.push_back(choose(turn, seen));
    move_by_whole_pages(*turn.vm, &decisions.back());
    remember(turn, decisions.back(), seen.now);
  }
  past_.end_turn();
  return decisions;
}

std::uint64_t BalanceLaw::reserve_of(const PoolObservation& pool) const noexcept {
  return alarm_->raised(pool.reserve);
}

/// Memory far above the reserve is promised twice. Few guests want it, and these can have it at
/// once.
std::uint64_t BalanceLaw::overpromise_of(const PoolObservation& pool) const noexcept {
  return less(pool.available, std::max(kComfort * reserve_of(pool), pool.total / kComfortPart));
}

/// The steps of what a guest can have, from least to most. A higher step is cut down for all guests
/// before a lower one is cut for any. Between two steps shares do not jump.
BalanceLaw::Steps BalanceLaw::steps_of(const Turn& turn) noexcept {
  Steps steps{turn.floor, turn.bare, turn.urgent, turn.need, turn.ceiling};
  for (std::uint64_t& step : steps) step = std::max(step, turn.kept);
  return steps;
}

BalanceLaw::Turn BalanceLaw::begin(const VmObservation& vm, const Observation& seen) {
  Turn turn;
  turn.vm = &vm;
  turn.past = &past_.of(vm.name, [&seen](Past& left) { left.take_up(seen); });
  turn.view = turn.past->watch.look(vm, seen);
  note_peak(seen.now, &turn);
  const GuestView& view = turn.view;
  turn.floor = floor_of(vm);
  turn.ceiling = ceiling_of(vm);
  const std::uint64_t usual = std::max(view.used / kHeadroomPart, kSmallestHeadroom);
  turn.headroom = std::max(usual, kGrowthTimes * view.grown);
  turn.margin = note_pressure(view, usual, seen.now, turn.past);
  turn.pressed = turn.past->pressed && within(*turn.past->pressed, kRecovery, seen.now);
  const std::uint64_t more = turn.pressed ? usual + view.swapped : 0;
  turn.need = std::clamp(view.used + turn.headroom + more, turn.floor, turn.ceiling);
  // A pressed guest shows what it uses, not what it would use. Without more it would stay small for
  // ever, and a guest that came first would keep all that it has.
  const bool squeezed = turn.pressed && view.available < usual;
  const std::uint64_t bare = view.used + usual / kBarePart;
  const std::uint64_t urgent = squeezed ? view.used + usual + more : bare;
  turn.urgent = std::clamp(urgent, turn.floor, turn.need);
  turn.bare = note_squeeze(squeezed, seen.now, turn.past) ? turn.urgent
                                                          : std::clamp(bare, turn.floor, turn.need);
  turn.settles = turn.past->needed && within(*turn.past->needed, kSettles, seen.now);
  turn.kept = view.stalled ? std::max(cost_of(vm, view), turn.floor) : turn.floor;
  turn.share = turn.ceiling;
  turn.host_known = vm.pool >= seen.pools.size() || seen.pools[vm.pool].known;
  turn.movable = vm.automatic && vm.running && !vm.inhibited && view.knows && turn.host_known;
  return turn;
}

/// Raises `used` of the guest's view to the most that it used lately, and lowers `available`.
void BalanceLaw::note_peak(Time now, Turn* turn) {
  GuestView& view = turn->view;
  Past& past = *turn->past;
  if (!view.knows) return;
  if (!within(past.span, kPeakSpan, now)) {
    past.before = within(past.span, 2 * kPeakSpan, now) ? past.peak : 0;
    past.peak = 0;
    past.span = now;
  }
  past.peak = std::max(past.peak, view.used);
  const std::uint64_t most = std::max(past.peak, past.before);
  const std::uint64_t more = std::min(most - view.used, view.available);
  view.used += more;
  view.available -= more;
}

/// A guest was pressed although it had memory available, so that memory is not idle for it, nor are
/// what it swapped and a headroom more. The guest keeps this margin for a while, or it would be
/// pressed again. @return the margin now.
std::uint64_t BalanceLaw::note_pressure(const GuestView& view, std::uint64_t headroom, Time now,
                                        Past* past) {
  std::uint64_t margin = 0;
  if (past->pressed && within(*past->pressed, 2 * kMargin, now)) {
    const Time left = std::min(*past->pressed + 2 * kMargin - now, kMargin);
    margin = past->margin / static_cast<std::uint64_t>(kMargin.count()) *
             static_cast<std::uint64_t>(left.count());
  }
  if (view.pressure > 0) {
    past->margin = std::max(margin, view.available + view.swapped + headroom);
    past->pressed = now;
    margin = past->margin;
  }
  return margin;
}

/// @return  whether the guest has had too little for kSqueezed.
bool BalanceLaw::note_squeeze(bool has_too_little, Time now, Past* past) {
  if (!has_too_little) {
    past->squeezed.reset();
    return false;
  }
  if (!past->squeezed || now < *past->squeezed) past->squeezed = now;
  return now - *past->squeezed >= kSqueezed;
}

/// The pool lacks what guests need and do not have. It has promised what guests have been granted
/// and do not take.
void BalanceLaw::look_at(const PoolObservation& pool, std::size_t index,
                         std::vector<Turn>* turns) const {
  std::uint64_t owed = 0;
  std::uint64_t promised = 0;
  for (const Turn& turn : *turns) {
    if (!turn.movable || !in_pool(*turn.vm, index)) continue;
    owed += less(std::min(turn.need, turn.share), turn.view.plugged);
    promised += turn.view.stalled ? 0 : less(granted(*turn.vm), cost_of(*turn.vm, turn.view));
  }
  const std::uint64_t reserve = reserve_of(pool);
  for (Turn& turn : *turns) {
    if (!in_pool(*turn.vm, index)) continue;
    turn.host_short |= pool.available < reserve + owed;
    turn.wait |= pool.available + overpromise_of(pool) < reserve + promised;
  }
}

/// Guests can have what they take today and what the pool has available, less the reserve. Guests
/// that the law does not move keep what they take, and so does a stalled guest.
void BalanceLaw::share_out(const PoolObservation& pool, std::size_t index,
                           std::vector<Turn>* turns) const {
  std::uint64_t budget = pool.available;
  Steps sums{};
  std::vector<Steps> steps;
  std::vector<Turn*> members;
  for (Turn& turn : *turns) {
    if (!turn.movable || !in_pool(*turn.vm, index)) continue;
    members.push_back(&turn);
    steps.push_back(steps_of(turn));
    budget += cost_of(*turn.vm, turn.view);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += steps.back()[i];
  }
  const std::uint64_t reserve = reserve_of(pool);
  const std::uint64_t whole = less(budget, pool.swapped + pool.reserve / kLastPart);
  budget = less(budget, pool.swapped + reserve + reserve / kAimPart);
  // The reserve is there to be used before a guest has to swap.
  if (sums[kUrgent] > budget) budget = std::max(budget, std::min(sums[kUrgent], whole));
  std::size_t step = kFloor;
  while (step < kNeed && sums[step + 1] <= budget) ++step;
  std::vector<Claim> claims;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Turn& turn = *members[i];
    claims.push_back({steps[i][step], steps[i][step + 1], turn.view.used + turn.margin,
                      std::max<std::uint64_t>(turn.vm->limits.weight, 1)});
  }
  const auto shares = divide(step == kNeed ? budget + overpromise_of(pool) : budget, claims);
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i]->share = std::min(members[i]->share, shares[i]);
  }
}

Decision BalanceLaw::choose(Turn& turn, const Observation& seen) const {
  const VmObservation& vm = *turn.vm;
  const auto stay = [&vm](Rule rule) { return Decision{vm.target, rule, {}, {}}; };
  const std::uint64_t most = less(vm.guest, turn.floor);
  if (!vm.automatic) return stay(Rule::kManual);
  if (!vm.running) return stay(Rule::kNotRunning);
  Decision decision = vm.target > most ? Decision{most, Rule::kFloor, {}, {}} : move(turn, seen);
  decision.signs = std::move(turn.view.signs);
  decision.terms = {
      kTerms,
      {vm.guest, turn.view.plugged, turn.view.used, turn.view.available, turn.headroom, turn.need,
       turn.margin, turn.share, turn.floor, turn.ceiling, vm.limits.weight}};
  if (vm.pool < seen.pools.size()) {
    decision.terms.add(seen.pools[vm.pool].available);
    decision.terms.add(reserve_of(seen.pools[vm.pool]));
  }
  return decision;
}

/// @pre the VM is automatic, its driver runs, and its target leaves the guest its floor.
Decision BalanceLaw::move(const Turn& turn, const Observation& seen) const {
  const VmObservation& vm = *turn.vm;
  if (vm.inhibited) return {vm.target, Rule::kInhibited, {}, {}};
  if (!vm.knows_actual) return {vm.target, Rule::kUnknownSize, {}, {}};
  if (!turn.view.knows || !turn.host_known) {
    const Rule unknown = turn.view.knows ? Rule::kHostUnknown : Rule::kNoStatistics;
    if (turn.view.pressure == 0) return {vm.target, unknown, {}, {}};
    return {less(vm.target, kSmallestStep), Rule::kGuestNeeds, {}, {}};
  }
  if (turn.view.stalled) return let_off(turn);
  const std::uint64_t wanted = vm.guest - turn.share;
  return wanted < vm.target ? give(turn, wanted, seen.now) : take(turn, wanted, seen.now);
}

/// A guest that cannot give must not go on trying at the cost of its programs.
Decision BalanceLaw::let_off(const Turn& turn) {
  const VmObservation& vm = *turn.vm;
  const std::uint64_t wanted = vm.guest - std::min(turn.need, turn.share);
  const std::uint64_t to = turn.wait ? std::max(wanted, vm.actual) : wanted;
  if (less(vm.target, to) < band_of(vm)) return {vm.target, Rule::kStalled, {}, {}};
  return {to, Rule::kGuestNeeds, {}, {}};
}

/// @pre wanted < target.
Decision BalanceLaw::give(const Turn& turn, std::uint64_t wanted, Time now) {
  const VmObservation& vm = *turn.vm;
  const auto stay = [&vm](Rule rule) { return Decision{vm.target, rule, {}, {}}; };
  const std::uint64_t amount = vm.target - wanted;
  const std::uint64_t has = granted(vm);
  const std::uint64_t band = band_of(vm);
  if (amount < band) return stay(Rule::kDeadBand);
  // At once and in one step: guests are known to suffer from memory that comes in portions. What
  // the guest does not need can wait until the host has it.
  if (turn.pressed || has + band <= turn.need) {
    const std::uint64_t needed = std::min(std::max(turn.need, has), turn.share);
    return {turn.wait ? vm.guest - needed : wanted, Rule::kGuestNeeds, {}, {}};
  }
  if (turn.wait) return stay(Rule::kWaiting);
  const bool back = turn.past->taken > turn.past->given;
  if (back && amount < kBackBands * band) return stay(Rule::kDeadBand);
  if (turn.past->taken && within(*turn.past->taken, kLockOut, now)) return stay(Rule::kLockedOut);
  return {vm.target - slow_step(amount), Rule::kShare, {}, {}};
}

/// @pre wanted >= target.
Decision BalanceLaw::take(const Turn& turn, std::uint64_t wanted, Time now) {
  const VmObservation& vm = *turn.vm;
  const auto stay = [&vm](Rule rule) { return Decision{vm.target, rule, {}, {}}; };
  if (wanted == vm.target) return stay(Rule::kSettled);
  const bool shortage = turn.share < turn.need;
  // An inflation that is under way already uses up the same spare memory.
  const std::uint64_t spare = less(turn.view.available, turn.headroom);
  const std::uint64_t reach = std::min(wanted, std::min(vm.actual, vm.target) + spare);
  const std::uint64_t usual = band_of(vm) * (turn.past->given > turn.past->taken ? kBackBands : 1);
  const std::uint64_t band = turn.host_short ? GuestWatch::kLeastProgress : usual;
  if (turn.host_short && reach >= vm.target + band && !turn.settles) {
    return {reach, Rule::kHostNeeds, {}, {}};
  }
  const std::uint64_t amount = less(shortage ? wanted : reach, vm.target);
  if (amount == 0) return stay(Rule::kSettled);
  if (amount < band) return stay(Rule::kDeadBand);
  if (turn.past->given && within(*turn.past->given, kLockOut, now)) return stay(Rule::kLockedOut);
  if (turn.pressed && !shortage) return stay(Rule::kRecovering);
  return {vm.target + slow_step(amount), shortage ? Rule::kShortage : Rule::kShare, {}, {}};
}

void BalanceLaw::remember(const Turn& turn, const Decision& decision, Time now) {
  if (decision.target > turn.vm->target) turn.past->taken = now;
  if (decision.target < turn.vm->target) {
    turn.past->given = now;
    if (decision.rule == Rule::kGuestNeeds) turn.past->needed = now;
  }
}

}  // namespace vballoon::policy
