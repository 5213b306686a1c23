// SPDX-License-Identifier: BSD-3-Clause
#include "keep/bag.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "keep/packet.hpp"
#include "keep/step.hpp"

namespace vballoon::keep {
namespace {

/// Before the record.
struct Label {
  std::uint32_t magic = 0;
  std::uint32_t descriptors = 0;
  std::uint64_t sequence = 0;
};
constexpr std::uint32_t kBagMagic = 0x67614256;  // "VBag"

rlim_t descriptor_limit() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

std::string why_not_sent(int error, std::size_t count) {
  if (error != ETOOMANYREFS) return std::strerror(error);
  return fmt::format(
      "with these {} more descriptors of this user would lie in sockets than its limit of {} open "
      "files allows; raise LimitNOFILE= of the service (ulimit -n)",
      count, descriptor_limit());
}

std::string why_not_taken(std::size_t had, std::size_t got) {
  return fmt::format(
      "a record has {} descriptors, and only {} could be taken at a limit of {} open files; raise "
      "LimitNOFILE= of the service (ulimit -n)",
      had, got, descriptor_limit());
}

Result<Label> peek_label(int out) {
  Label label;
  const ssize_t got = ::recv(out, &label, sizeof(label), MSG_PEEK | MSG_DONTWAIT);
  if (got == static_cast<ssize_t>(sizeof(label)) && label.magic == kBagMagic) return label;
  return fail(Code::kInvalidArgument, "what lies in a bag is no record; it is not used");
}

/// Of the first datagram alone; nothing where there is none.
std::optional<std::size_t> first_bytes(int out) noexcept {
  const ssize_t bytes = ::recv(out, nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  if (bytes <= 0) return std::nullopt;
  return static_cast<std::size_t>(bytes);
}

/// Of all datagrams together: of this kind of socket, FIONREAD tells that.
std::size_t all_bytes(int out) noexcept {
  int bytes = 0;
  return ::ioctl(out, FIONREAD, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

bool is_seqpacket(int fd) noexcept {
  int type = 0;
  socklen_t bytes = sizeof(type);
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace

Result<Bag> Bag::make() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0) {
    return Bag(UniqueFd(ends[0]), UniqueFd(ends[1]));
  }
  return fail(Code::kHost, fmt::format("no socket pair can be made: {}", std::strerror(errno)));
}

Result<Bag> Bag::adopt(UniqueFd in, UniqueFd out) {
  if (is_seqpacket(in.get()) && is_seqpacket(out.get())) {
    return Bag(std::move(in), std::move(out));
  }
  return fail(Code::kInvalidArgument, "two descriptors are not the ends of a bag");
}

Result<void> Bag::put(std::span<const std::byte> record, std::span<const int> fds) {
  VB_CHECK(record.size() <= kMaxRecordBytes && fds.size() <= kMaxDescriptors);
  Label label{kBagMagic, static_cast<std::uint32_t>(fds.size()), sequence_ + 1};
  const std::array<iovec, 2> parts{
      {{&label, sizeof(label)}, {const_cast<std::byte*>(record.data()), record.size()}}};
  if (const int error = send_packet({in_.get()}, parts, fds, MSG_DONTWAIT); error != 0) {
    return fail(Code::kHost, "a record cannot be kept: " + why_not_sent(error, fds.size()));
  }
  step(Step::kBagSent);
  if (full_) (void)take_out();
  step(Step::kBagReceived);
  full_ = true;
  sequence_ = label.sequence;
  return {};
}

/// Without room for descriptors, which the kernel then lets go of.
bool Bag::take_out() noexcept {
  return ::recv(out_.get(), nullptr, 0, MSG_DONTWAIT) >= 0;
}

/// The queue is first in, first out. Who put in the second would have taken out the first.
Result<void> Bag::leave_newest() {
  std::uint64_t before = 0;
  for (;;) {
    const auto bytes = first_bytes(out_.get());
    if (!bytes) return {};
    const auto label = peek_label(out_.get());
    if (!label) return tl::unexpected(label.error());
    if (label->sequence <= before) {
      return fail(Code::kInvalidArgument,
                  fmt::format("record {} lies in a bag behind record {}; neither is used",
                              label->sequence, before));
    }
    before = label->sequence;
    if (all_bytes(out_.get()) <= *bytes) return {};
    if (!take_out()) return {};
  }
}

Result<std::optional<BagContents>> Bag::look() {
  if (auto ok = leave_newest(); !ok) return tl::unexpected(ok.error());
  BagContents contents;
  contents.record.resize(kMaxRecordBytes);
  Label label;
  std::array<iovec, 2> parts{
      {{&label, sizeof(label)}, {contents.record.data(), contents.record.size()}}};
  Packet packet;
  const int error = receive_packet(out_.get(), parts, MSG_PEEK | MSG_DONTWAIT, &packet);
  full_ = error == 0 && packet.bytes != 0;
  if (!full_) return std::nullopt;
  if (packet.cut || packet.bytes < sizeof(label) || label.magic != kBagMagic) {
    return fail(Code::kInvalidArgument, "what lies in a bag is no record; it is not used");
  }
  if (packet.lost || packet.descriptors.size() != label.descriptors) {
    const std::size_t got = packet.descriptors.size();
    packet.descriptors.clear();  // whoever is told may need one
    return fail(Code::kHost, why_not_taken(label.descriptors, got));
  }
  sequence_ = contents.sequence = label.sequence;
  contents.record.resize(packet.bytes - sizeof(label));
  contents.descriptors = std::move(packet.descriptors);
  return contents;
}

void Bag::empty() noexcept {
  while (first_bytes(out_.get()) && take_out()) {
  }
  full_ = false;
}

}  // namespace vballoon::keep
