// SPDX-License-Identifier: BSD-3-Clause
//
// tests/soak/hostile_messages.cpp - what no VMM may send.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "hostile.hpp"

namespace vballoon::soak {
namespace {

using driver::Deadline;
using driver::MessageSocket;
namespace wire = wire;

constexpr std::chrono::milliseconds kAnswered{2000};
constexpr unsigned kRequests = 48;  // more than there are

UniqueFd open_some(unsigned kind) {
  std::array<int, 2> ends{-1, -1};
  switch (kind) {
    case 0:
      return UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    case 1:
      return UniqueFd(::open("/dev/full", O_RDWR | O_CLOEXEC));
    case 2:
      return UniqueFd(::open("/", O_RDONLY | O_CLOEXEC));
    case 3:
      return UniqueFd(::eventfd(0, EFD_CLOEXEC));
    case 4:
      return UniqueFd(::memfd_create("hostile", MFD_CLOEXEC));
    default:
      break;
  }
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return UniqueFd();
  const bool reader = kind == 5;
  ::close(ends[reader ? 1 : 0]);
  return UniqueFd(ends[reader ? 0 : 1]);
}

std::vector<int> numbers_of(const std::vector<UniqueFd>& files) {
  std::vector<int> fds;
  for (const UniqueFd& file : files) fds.push_back(file.get());
  return fds;
}

}  // namespace

/// A connection that no driver has spoken on.
MessageSocket Hostile::dial() {
  leave();
  auto socket = MessageSocket::connect(socket_, Deadline(kAnswered));
  return socket ? *std::move(socket) : MessageSocket();
}

std::vector<UniqueFd> Hostile::some_files(unsigned most) {
  std::vector<UniqueFd> files;
  for (unsigned i = below(most + 1); i > 0; --i) {
    if (UniqueFd file = open_some(below(7)); file.valid()) files.push_back(std::move(file));
  }
  return files;
}

/// On a new connection, or in the middle of a session.
void Hostile::garbage_message() {
  MessageSocket fresh;
  if (chance(50)) fresh = dial();
  MessageSocket& socket = driver_ ? driver_->front_end().socket() : fresh;
  for (unsigned i = 1 + below(3); i > 0; --i) {
    std::vector<std::byte> payload(below(400));
    scribble(payload);
    const wire::Header head{
        .request = chance(80) ? below(kRequests) : any32(),
        .flags = chance(80) ? wire::kVersion | (below(2) * wire::kFlagNeedReply) : any32(),
        .size = chance(70) ? static_cast<std::uint32_t>(payload.size()) : any32()};
    const auto files = some_files(10);
    static_cast<void>(socket.send(head, payload, numbers_of(files), Deadline(kAnswered)));
  }
  nap(2000);
  leave();
}

/// Cut off anywhere; then silence for a while, then the connection ends.
void Hostile::half_message() {
  MessageSocket socket = dial();
  std::vector<std::byte> bytes(sizeof(wire::Header) + 64);
  scribble(bytes);
  const wire::Header head{.request = 1 + below(40), .flags = wire::kVersion, .size = 64};
  std::memcpy(bytes.data(), &head, sizeof(head));
  // From the header's first byte to all but the last one; the whole header is a favourite.
  const std::size_t cut = chance(40) ? sizeof(head) : 1 + below(sizeof(head) + 63);
  const auto files = some_files(2);
  static_cast<void>(
      socket.send_bytes(std::span(bytes).first(cut), numbers_of(files), Deadline(kAnswered)));
  nap(10'000);
}

/// Messages that exist, longer or shorter than they are.
void Hostile::wrong_size() {
  const auto request = static_cast<wire::Request>(1 + below(40));
  std::vector<std::byte> payload(chance(50) ? below(16) : below(280));
  scribble(payload);
  const wire::Header head{.request = static_cast<std::uint32_t>(request),
                          .flags = wire::kVersion | wire::kFlagNeedReply,
                          .size = static_cast<std::uint32_t>(payload.size())};
  static_cast<void>(driver_->front_end().socket().send(head, payload, {}, Deadline(kAnswered)));
  nap(2000);
  leave();
}

void Hostile::odd_config() {
  const std::uint32_t size = below(300);
  const wire::ConfigHeader head{
      .offset = any32(), .size = chance(70) ? size : any32(), .flags = any32()};
  std::vector<std::byte> payload(sizeof(head) + size);
  scribble(payload);
  std::memcpy(payload.data(), &head, sizeof(head));
  if (chance(50)) {
    static_cast<void>(driver_->front_end().ask(wire::Request::kGetConfig, payload));
  } else {
    static_cast<void>(driver_->front_end().tell(wire::Request::kSetConfig, payload));
  }
  // Whether it is still connected shows at the next question.
  if (!driver_->num_pages()) leave();
}

/// Sizes, places and bases that cannot be, of rings that run and of rings that never were.
void Hostile::odd_ring_setup() {
  driver::FrontEnd& front_end = driver_->front_end();
  const auto base = reinterpret_cast<std::uintptr_t>(ram_->at(Gpa{0}, 1).data());
  const auto place = [&] { return chance(60) ? base + below(2 * kMiB) : any64(); };
  for (unsigned i = 1 + below(4); i > 0; --i) {
    const unsigned index = chance(80) ? below(6) : below(300);
    switch (below(6)) {
      case 0:
        static_cast<void>(front_end.set_vring_num(index, any32()));
        break;
      case 1:
        static_cast<void>(front_end.set_vring_base(index, any32()));
        break;
      case 2:
        static_cast<void>(front_end.set_vring_addr({.index = index,
                                                    .flags = below(2),
                                                    .descriptors = place(),
                                                    .used = place(),
                                                    .available = place(),
                                                    .log = any64()}));
        break;
      case 3:
        static_cast<void>(front_end.set_vring_enable(index, chance(50)));
        break;
      case 4:
        static_cast<void>(front_end.get_vring_base(index));
        break;
      default:
        static_cast<void>(front_end.set_features(any64()));
        break;
    }
  }
  nap(2000);
  renew();
}

/// Call, kick and channel descriptors that are something else, or are missing.
void Hostile::odd_files() {
  driver::FrontEnd& front_end = driver_->front_end();
  for (unsigned i = 1 + below(3); i > 0; --i) {
    const UniqueFd file = open_some(below(7));
    const std::array<int, 1> fds{file.get()};
    const std::optional<int> fd = chance(80) ? std::optional(file.get()) : std::nullopt;
    switch (below(3)) {
      case 0:
        static_cast<void>(front_end.set_vring_call(below(6), fd));
        break;
      case 1:
        static_cast<void>(front_end.set_vring_kick(below(6), fd));
        break;
      default:
        static_cast<void>(front_end.tell(wire::Request::kSetBackendReqFd, {}, fds));
        break;
    }
  }
  nap(2000);
  if (driver_->inflate(std::span(pages_).first(8))) return;
  renew();
}

/// Questions whose answers nobody reads.
void Hostile::flood() {
  const wire::ConfigHeader ask{.offset = 0, .size = 16};
  std::vector<std::byte> payload(sizeof(ask) + ask.size);
  std::memcpy(payload.data(), &ask, sizeof(ask));
  const wire::Header head{.request = static_cast<std::uint32_t>(wire::Request::kGetConfig),
                          .flags = wire::kVersion,
                          .size = static_cast<std::uint32_t>(payload.size())};
  MessageSocket& socket = driver_->front_end().socket();
  for (unsigned i = below(2000); i > 0; --i) {
    if (!socket.send(head, payload, {}, Deadline(std::chrono::milliseconds(0)))) break;
  }
  nap(5000);
  leave();
}

void Hostile::storm() {
  for (unsigned i = 2 + below(10); i > 0; --i) dial();
}

/// Another one at the same socket, while the first is served: it is turned away or waits.
void Hostile::second_vmm() {
  auto socket = MessageSocket::connect(socket_, Deadline(kAnswered));
  if (!socket) return;
  driver::FrontEnd other(*std::move(socket), std::chrono::milliseconds(50));
  if (chance(50)) static_cast<void>(other.get_features());
  if (chance(50)) static_cast<void>(other.get_queue_num());
  if (chance(50)) static_cast<void>(other.set_mem_table(*ram_));
  // The first one is served as before.
  expect(driver_->inflate(std::span(pages_).first(8)));
}

/// In the middle of setting up.
void Hostile::early_end() {
  const auto socket = dial();
  if (socket.fd() < 0) return;
  driver::FrontEnd front_end(MessageSocket(UniqueFd::duplicate(socket.fd())), kAnswered);
  static_cast<void>(front_end.get_features());
  if (chance(70)) static_cast<void>(front_end.set_owner());
  if (chance(70)) static_cast<void>(front_end.set_features(any64()));
  if (chance(50)) static_cast<void>(front_end.set_vring_num(below(5), 128));
}

}  // namespace vballoon::soak
