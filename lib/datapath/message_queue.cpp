// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/message_queue.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "wire/queue_map.hpp"

namespace vballoon::datapath {
namespace {

/// A driver sends one; of a buffer with more than these the rest is not looked at.
constexpr std::uint32_t kMessagesPerBuffer = 1024;

}  // namespace

void MessageQueue::serve() noexcept {
  for (std::uint32_t cost = 0; cost < kHopsPerPass;) {
    const auto head = ring_.pop();
    if (!head) return;
    cost += take(*head);
    ring_.finish(*head);
  }
}

/// @return what it cost of a pass: messages and descriptors.
std::uint32_t MessageQueue::take(virtq::Head head) noexcept {
  // Messages are laid out as page numbers are: 32 bits each, wherever descriptors end.
  PfnReader reader(ring_.walk(head), ring_.memory(), context_.counters);
  const std::uint32_t messages = listen(&reader);
  count_fault(reader.walk());
  return 1 + messages + reader.walk().hops();
}

/// @return how many messages it heard.
std::uint32_t MessageQueue::listen(PfnReader* reader) noexcept {
  std::array<Pfn, 257> words;
  std::uint32_t heard = 0;
  while (heard < kMessagesPerBuffer) {
    // One word more than there is to hear, as the reader wants it.
    const std::size_t room = std::min<std::size_t>(words.size(), kMessagesPerBuffer - heard + 1);
    const std::size_t got = reader->read(std::span(words).first(room));
    if (got == 0) return heard;
    for (const Pfn word : std::span(words).first(got)) count(word.value);
    heard += static_cast<std::uint32_t>(got);
  }
  if (reader->read(std::span(words).first(2)) != 0) context_.counters.messages_truncated.add(1);
  return heard;
}

void MessageQueue::count(std::uint32_t message) noexcept {
  DeviceCounters& counters = context_.counters;
  (message == wire::kMessagePressure ? counters.pressure_messages : counters.unknown_messages)
      .add(1);
}

}  // namespace vballoon::datapath
