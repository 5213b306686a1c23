// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/message_at_hand.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/log.hpp"
#include "keep/step.hpp"
#include "vhost/arrived.hpp"
#include "vhost/fd_reserve.hpp"

namespace vballoon::vhost {
namespace {

/// A message that ended this many processes is the reason why they end.
constexpr std::uint32_t kMostAttempts = 3;

}  // namespace

ssize_t MessageAtHand::look(int socket, keep::Exchange& exchange, std::byte* to,
                            int flags) noexcept {
  exchange_ = &exchange;
  socket_ = socket;
  seen_ = 0;
  const ssize_t got = look_for_descriptors(flags);
  if (got <= 0) return got;
  if (exchange.attempts() > kMostAttempts) {
    log::error("a message of a VMM ended the daemon {} times; its connection ends", kMostAttempts);
    errno = EPROTO;
    return -1;
  }
  if (!cut()) return -1;
  given_ = std::min(seen_, kHeaderBytes);
  std::memcpy(to, room_.data(), given_);
  return static_cast<ssize_t>(given_);
}

/// The kernel drops descriptors for which no number is free. A look can be repeated.
ssize_t MessageAtHand::look_for_descriptors(int flags) noexcept {
  arrived().drop();
  const ssize_t got = look_once(flags);
  if (got <= 0 || !arrived().lost()) return got;
  FdReserve::get().open();
  exchange_->unlook();
  arrived().drop();
  return look_once(flags);
}

ssize_t MessageAtHand::look_once(int flags) noexcept {
  alignas(cmsghdr) std::array<std::byte, Arrived::kControlBytes> control;
  iovec part{room_.data(), room_.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = exchange_->look(&message, flags);
  seen_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  if (got > 0) arrived().take(message);
  return got;
}

/// As long as the header says. librte_vhost ends the connection of a message that is too long.
std::size_t MessageAtHand::whole() const noexcept {
  wire::Header header;
  std::memcpy(&header, room_.data(), sizeof(header));
  return kHeaderBytes + header.size;
}

/// Where more came than the message, what is left over is looked at again, and its descriptors came
/// early. @return whether there is no error, which the message need not be whole for.
bool MessageAtHand::cut() noexcept {
  if (seen_ < kHeaderBytes || seen_ < whole()) return true;
  if (seen_ > whole()) {
    const Message message(room_.data());
    const bool any = message.size() >= sizeof(std::uint64_t);
    arrived().keep(wire::descriptors_of(message.request(), any ? message.number(0) : 0));
  }
  seen_ = whole();
  errno = exchange_->cut(seen_);
  return errno == 0;
}

ssize_t MessageAtHand::read(std::byte* to, std::size_t bytes) noexcept {
  const std::size_t wanted = std::min(given_ + bytes, room_.size());
  if (seen_ < wanted) {
    iovec part{room_.data() + seen_, room_.size() - seen_};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t got = exchange_->look_on(&message, 0);
    if (got <= 0) return got;
    seen_ += static_cast<std::size_t>(got);
    if (!cut()) return -1;
  }
  const std::size_t length = std::min(seen_, wanted) - given_;
  std::memcpy(to, room_.data() + given_, length);
  given_ += length;
  return static_cast<ssize_t>(length);
}

ssize_t MessageAtHand::answer(const msghdr& message, int flags) noexcept {
  const std::span bytes(static_cast<const std::byte*>(message.msg_iov->iov_base),
                        message.msg_iov->iov_len);
  if (message.msg_controllen != 0) {
    // sendfile(2) takes no descriptors. Who puts one into an answer keeps its witness before that.
    exchange_->answer_beside();
    const long sent = ::syscall(SYS_sendmsg, socket_, &message, flags);
    keep::step(keep::Step::kLent);
    finish();
    return sent;
  }
  const int error = exchange_->answer(bytes);
  if (error == 0) {
    finish();
    return static_cast<ssize_t>(bytes.size());
  }
  exchange_ = nullptr;
  ::shutdown(socket_, SHUT_RDWR);
  errno = error;
  return -1;
}

void MessageAtHand::finish() noexcept {
  keep::Exchange* const exchange = std::exchange(exchange_, nullptr);
  if (exchange != nullptr && exchange->finish() != 0) ::shutdown(socket_, SHUT_RDWR);
}

void MessageAtHand::forget(int socket) noexcept {
  if (socket_ == socket) exchange_ = nullptr;
}

MessageAtHand& message_at_hand() noexcept {
  thread_local MessageAtHand mine;
  return mine;
}

}  // namespace vballoon::vhost
