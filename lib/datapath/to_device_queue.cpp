// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/to_device_queue.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/clock.hpp"
#include "datapath/buffer_writer.hpp"

namespace vballoon::datapath {

using reclaim::PageRun;
using reclaim::Returns;
using wire::large::Feature;
using wire::large::kMaxPages;
using wire::large::MessageType;

namespace {

/// What may come back by one message, in pieces of 2 MiB: each is looked at twice, in one pass.
constexpr std::uint64_t kMostBack = 8 * kPagesPerPass;

/// A page takes so many 2 MiB of a pass's share, as one of 2 MiB takes one.
std::uint32_t cost_of(std::uint64_t pages) noexcept {
  constexpr std::uint64_t kBlock = 512;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, pages / kBlock));
}

}  // namespace

ToDeviceQueue::ToDeviceQueue(Ring ring, const DeviceContext& context, Requests& requests,
                             StatsExchange& stats, bool resumed)
    : DeviceQueue(std::move(ring), context), requests_(requests), stats_(stats) {
  context_.reclaimer.returns().provide(kMaxPages);
  context_.reclaimer.returns().clear();
  if (!resumed) requests_.state.store({});
  if (resumed) {
    context_.leaving.for_each_unseen(
        ring_.position(), [this](std::uint64_t page, unsigned kind) { take_back(page, kind); });
  }
  context_.leaving.clear();
}

/// A page that left the balloon, of which the driver was not told.
void ToDeviceQueue::take_back(std::uint64_t page, unsigned kind) noexcept {
  reclaim::Gather& gather = context_.reclaimer.gather();
  if (kind >= gather.sizes().count) return;
  const PageRun run{page, gather.sizes().pages(kind)};
  const GpaRange range{reclaim::gpa_of(page), pages_to_bytes(run.pages)};
  if (page % run.pages != 0 || !gather.memory().contains(range)) return;
  static_cast<void>(gather.enter(run, kind, 0));
}

void ToDeviceQueue::serve() noexcept {
  const reclaim::Conduct& conduct = *context_.reclaimer.handover().conduct();
  for (std::uint32_t cost = 0; cost < kPagesPerPass && !waits() && !conduct.hurried();) {
    if (stage_ == Stage::kAdds) {
      // DEV-25: what was added is discarded first.
      if (context_.reclaimer.gather().crowded()) return;
      cost += add_next();
      continue;
    }
    const auto head = ring_.pop();
    if (!head) return;
    cost += begin(*head);
  }
}

/// @return what it cost of a pass.
std::uint32_t ToDeviceQueue::begin(virtq::Head head) noexcept {
  head_ = head;
  context_.leaving.clear();  // whatever came before this one, the driver has seen
  message_.read(ring_, head);
  if (message_.fault() != virtq::ChainFault::kNone) context_.counters.bad_chains.add(1);
  std::uint32_t cost = 1 + message_.hops();
  if (!message_.has_header()) {
    context_.counters.short_messages.add(1);
    end();
    return cost;
  }
  switch (message_.header().type) {
    case MessageType::kPages:
      return cost + begin_pages();
    case MessageType::kRelease:
      if (!context_.has(Feature::kRelease)) break;
      return cost + begin_release();
    case MessageType::kStats:
      hear_stats();
      return cost;
    case MessageType::kState:
      if (!context_.has(Feature::kState)) break;
      hear_state();
      return cost;
    case MessageType::kPressure:
      if (!context_.has(Feature::kPressure)) break;
      hear_pressure();
      return cost;
  }
  context_.counters.unknown_messages.add(1);
  end();
  return cost;
}

void ToDeviceQueue::end(std::uint32_t written) noexcept {
  stage_ = Stage::kIdle;
  ring_.finish(head_, written);
}

/// The kind of the message's pages; nothing where their size is not offered.
std::optional<unsigned> ToDeviceQueue::find_kind() const noexcept {
  const wire::large::Config& config = *context_.config.large();
  const unsigned shift = wire::large::page_shift(config, message_.header());
  if (!wire::large::offers_size(config, context_.has(Feature::kSizes), shift)) return std::nullopt;
  return context_.reclaimer.gather().sizes().find(shift);
}

std::uint32_t ToDeviceQueue::begin_pages() noexcept {
  const std::uint64_t given = message_.addresses();
  const std::uint64_t asked = message_.room();
  const std::uint64_t most = context_.config.large()->max_pages;
  const auto kind = find_kind();
  if (given != 0 && asked != 0) {
    context_.counters.wrong_direction.add(1);
    end();
    return 0;
  }
  if (given > most) context_.counters.beyond_max_pages.add(given - most);
  if (!kind) context_.counters.sizes_not_offered.add(std::min(given, most));
  kind_ = kind.value_or(0);
  if (given != 0 && kind) {
    next_ = 0;
    count_ = std::min(given, most);
    stage_ = Stage::kAdds;
    return 0;
  }
  reclaim::Gather& gather = context_.reclaimer.gather();
  const std::uint64_t wanted =
      kind && asked != 0 ? std::min({asked, most_back(most), gather.sized().count(*kind)}) : 0;
  if (wanted == 0) {
    if (asked != 0) context_.counters.withheld.add(1);
    end();
    return 0;
  }
  choose(wanted);
  wait();
  return static_cast<std::uint32_t>(wanted) * cost_of(gather.sizes().pages(*kind));
}

/// @param most  that a message may have
std::uint64_t ToDeviceQueue::most_back(std::uint64_t most) const noexcept {
  return std::min(most, kMostBack / cost_of(context_.reclaimer.gather().sizes().pages(kind_)));
}

/// Pages that the device hands back: first those that are not discarded yet (DEV-13).
/// @pre so many of the message's kind are in the balloon
void ToDeviceQueue::choose(std::uint64_t count) noexcept {
  reclaim::Gather& gather = context_.reclaimer.gather();
  std::uint64_t late = 0;
  for (auto page = gather.late_page(kind_); page && late < count; page = gather.late_page(kind_)) {
    ask_back(*page);
    ++late;
  }
  const Returns& returns = context_.reclaimer.returns();
  for (std::uint64_t chosen = late; chosen < count;) {
    const PageRun page = gather.next_page(kind_);
    if (late != 0 && returns.has(page)) continue;
    ask_back(page);
    ++chosen;
  }
}

/// Adds one page. @return what it cost of a pass.
std::uint32_t ToDeviceQueue::add_next() noexcept {
  if (next_ == count_) {
    end();
    return 0;
  }
  add(message_.address(next_++), kind_);
  return cost_of(context_.reclaimer.gather().sizes().pages(kind_));
}

/// DEV-15: what cannot be a page is skipped, and nothing else.
void ToDeviceQueue::add(std::uint64_t address, unsigned kind) noexcept {
  DeviceCounters& counters = context_.counters;
  reclaim::Gather& gather = context_.reclaimer.gather();
  const std::uint64_t pages = gather.sizes().pages(kind);
  const GpaRange range{Gpa{address}, pages_to_bytes(pages)};
  const PageRun page{reclaim::page_of(range.first), pages};
  if (address % range.bytes != 0) return counters.unaligned.add(1);
  if (!gather.memory().contains(range)) return counters.outside_memory.add(1);
  if (context_.in_a_ring(range)) return counters.in_a_ring.add(1);
  if (!gather.enter(page, kind, context_.now_us)) return counters.already_ballooned.add(1);
  counters.inflate_pages.add(pages);
}

std::uint32_t ToDeviceQueue::begin_release() noexcept {
  const std::uint64_t given = message_.addresses();
  const std::uint64_t most = context_.config.large()->max_pages;
  if (message_.room() == 0) {
    context_.counters.wrong_direction.add(1);
    end();
    return 0;
  }
  if (given > most) context_.counters.beyond_max_pages.add(given - most);
  const auto kind = find_kind();
  kind_ = kind.value_or(0);
  const reclaim::Gather& gather = context_.reclaimer.gather();
  const std::uint64_t pages = gather.sizes().pages(kind_);
  const std::size_t count = std::min(given, most_back(most));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t address = message_.address(i);
    const PageRun page{bytes_to_pages(address), pages};
    const bool aligned = address % pages_to_bytes(pages) == 0;
    if (kind && aligned && gather.sized().has(page, *kind)) {
      ask_back(page);
    } else {
      context_.counters.not_ballooned.add(1);
      context_.reclaimer.returns().add(page, false);
    }
  }
  wait();
  return static_cast<std::uint32_t>(count) * cost_of(pages);
}

void ToDeviceQueue::ask_back(PageRun page) noexcept {
  context_.reclaimer.gather().hold_back(page);
  context_.reclaimer.returns().add(page, true);
}

void ToDeviceQueue::wait() noexcept {
  fence_.reset();
  stage_ = Stage::kWaits;
}

/// DEV-8, DEV-11: the pages may be on their way to be discarded, and their memory is fetched after
/// that.
void ToDeviceQueue::let_go() noexcept {
  if (!waits() || !context_.reclaimer.returns().handed_over()) return;
  const reclaim::Handover& handover = context_.reclaimer.handover();
  if (!fence_) fence_ = handover.handed_over();
  if (!handover.passed(*fence_)) return;
  message_.header().type == MessageType::kRelease ? answer_release() : answer_withdraw();
  context_.reclaimer.returns().clear();
}

void ToDeviceQueue::answer_withdraw() noexcept {
  BufferWriter writer(ring_, head_);
  const auto pages = context_.reclaimer.returns().pages();
  std::array<bool, kMaxPages> told{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const std::uint64_t address = reclaim::gpa_of(pages[i].run.first).value;
    told[i] = !pages[i].refused && writer.write(std::as_bytes(std::span(&address, 1)));
    if (!told[i]) continue;
    context_.leaving.add(pages[i].run);
    ++count;
  }
  note_leaving();
  for (std::size_t i = 0; i < pages.size(); ++i) {
    told[i] ? leaves(pages[i].run) : stays(pages[i].run);
  }
  if (count != pages.size()) context_.counters.withheld.add(1);
  end(static_cast<std::uint32_t>(count * wire::large::kAddressBytes));
}

/// By now the driver has seen all earlier messages used, so this one's place is the ring's.
void ToDeviceQueue::note_leaving() noexcept {
  context_.leaving.begin(ring_.position(), kind_);
}

/// DEV-19: the first pages of the list, up to one that has to stay.
void ToDeviceQueue::answer_release() noexcept {
  const auto pages = context_.reclaimer.returns().pages();
  const auto refused = std::find_if(pages.begin(), pages.end(),
                                    [](const Returns::Page& page) { return page.refused; });
  std::uint64_t count = static_cast<std::uint64_t>(refused - pages.begin());
  const bool told = BufferWriter(ring_, head_).write(std::as_bytes(std::span(&count, 1)));
  if (!told) count = 0;
  const reclaim::SizedPages& sized = context_.reclaimer.gather().sized();
  for (std::size_t i = 0; i < pages.size(); ++i) {
    // One that came twice has left by now.
    if (!pages[i].inside || !sized.has(pages[i].run, kind_)) continue;
    i < count ? leaves(pages[i].run) : stays(pages[i].run);
  }
  if (count < pages.size()) context_.counters.withheld.add(1);
  end(told ? sizeof(count) : 0);
}

void ToDeviceQueue::stays(PageRun page) noexcept {
  context_.reclaimer.gather().gather_again(page, context_.now_us);
  context_.counters.withheld_pages.add(page.pages);
}

void ToDeviceQueue::leaves(PageRun page) noexcept {
  context_.reclaimer.gather().leave(page, kind_);
  context_.reclaimer.prefaults().limit_owed(context_.reclaimer.gather().ballooned_pages());
  context_.counters.deflate_pages.add(page.pages);
}

void ToDeviceQueue::hear_stats() noexcept {
  wire::StatsSample sample;
  wire::NodeSample nodes;
  const bool by_node = context_.has(Feature::kNodeStats);
  const std::size_t entries = message_.whole<wire::large::Stat>();
  for (std::size_t i = 0; i < entries; ++i) {
    const auto stat = message_.get<wire::large::Stat>(i * sizeof(wire::large::Stat));
    if (stat.node != 0) {
      if (by_node) nodes.set(stat.node - 1U, stat.tag, stat.value);
    } else if (!nodes.set_guest(stat.tag, stat.value)) {
      sample.set(stat.tag, stat.value);
    }
  }
  stats_.hear_nodes(nodes);
  stats_.hear(sample, context_.counters.ballooned_pages.get());
  context_.counters.stats_samples.add(1);
  end();
}

void ToDeviceQueue::hear_state() noexcept {
  if (message_.whole<wire::large::State>() == 0) {
    context_.counters.short_messages.add(1);
    return end();
  }
  StateRecord record = requests_.state.load();
  record.state = message_.get<wire::large::State>(0);
  record.reason = static_cast<wire::large::Reason>(message_.header().detail);
  record.serial = message_.header().serial;
  record.sequence += 1;
  record.taken_ms = now_ms();
  requests_.state.store(record);
  context_.counters.states.add(1);
  end();
}

/// What the guest reclaims in the background is no shortage: page cache goes that way at all times.
void ToDeviceQueue::hear_pressure() noexcept {
  DeviceCounters& counters = context_.counters;
  switch (static_cast<wire::large::Level>(message_.header().detail)) {
    case wire::large::Level::kBackground:
      counters.background_pressure.add(1);
      break;
    case wire::large::Level::kDirect:
    case wire::large::Level::kOom:
      counters.pressure_messages.add(1);
      break;
    default:
      counters.unknown_messages.add(1);
      break;
  }
  end();
}

}  // namespace vballoon::datapath
