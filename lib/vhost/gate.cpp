// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/gate.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "vhost/at_work.hpp"
#include "vhost/callbacks.hpp"
#include "vhost/closer.hpp"
#include "vhost/driver.hpp"
#include "vhost/fd_reserve.hpp"
#include "vhost/record.hpp"

namespace vballoon::vhost {
namespace {

constexpr std::chrono::milliseconds kShort{100};

thread_local Visitor visitor;

std::string reason() {
  return std::strerror(errno);
}

}  // namespace

Result<std::unique_ptr<Gate>> Gate::open(wire::Features offered, Room& room) {
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  if (!set.valid()) return fail(Code::kHost, "no epoll descriptor can be made: " + reason());
  std::unique_ptr<Gate> gate(
      new Gate(fmt::format("{}{:x}", kNames, offered.bits()), std::move(set), room));
  if (auto ok = register_driver(gate->name_, 0, offered); !ok) return tl::unexpected(ok.error());
  const BoundTo set_instead(gate->set_.get(), *gate);
  if (rte_vhost_driver_start(gate->name_.c_str()) == 0) return gate;
  return fail(Code::kHost, "librte_vhost does not listen; see the log for its reason");
}

Gate::Gate(std::string name, UniqueFd set, Room& room)
    : name_(std::move(name)), set_(std::move(set)), room_(room) {}

Gate::~Gate() {
  const CloseElsewhere what_vmms_gave;
  rte_vhost_driver_unregister(name_.c_str());
  forget_source(*this);
}

Result<void> Gate::watch(const Listener& listener) {
  const std::scoped_lock lock(mutex_);
  if (!doors_.try_emplace(listener.fd()).second) return {};
  epoll_event silent{};
  silent.data.fd = listener.fd();
  if (::epoll_ctl(set_.get(), EPOLL_CTL_ADD, listener.fd(), &silent) == 0) return {};
  const std::string why = reason();
  doors_.erase(listener.fd());
  return fail(Code::kHost, fmt::format("socket {}: epoll: {}", listener.file().path(), why));
}

void Gate::admit(const Listener& listener, std::shared_ptr<BalloonDevice> device) {
  const std::scoped_lock lock(mutex_);
  doors_[listener.fd()] = {std::move(device)};
  arm(listener.fd(), true);
}

void Gate::bar(const Listener& listener) {
  const std::scoped_lock lock(mutex_);
  doors_[listener.fd()] = {};
  arm(listener.fd(), false);
}

void Gate::forget(const Listener& listener) {
  const std::scoped_lock lock(mutex_);
  if (doors_.erase(listener.fd()) == 0) return;
  ::epoll_ctl(set_.get(), EPOLL_CTL_DEL, listener.fd(), nullptr);
}

Result<void> Gate::bring(UniqueFd connection, std::shared_ptr<BalloonDevice> device) {
  const std::scoped_lock lock(mutex_);
  if (!bell_.valid()) {
    bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event rings{};
    rings.events = EPOLLIN;
    rings.data.fd = bell_.get();
    if (!bell_.valid() || ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, bell_.get(), &rings) != 0) {
      return fail(Code::kHost, "a connection cannot be brought in: " + reason());
    }
  }
  brought_.push_back({std::move(connection), std::move(device)});
  ::eventfd_write(bell_.get(), 1);
  return {};
}

int Gate::accept_brought() noexcept {
  Brought next = std::move(brought_.front());
  brought_.pop_front();
  eventfd_t rung = 0;
  if (brought_.empty()) ::eventfd_read(bell_.get(), &rung);
  visitor = {std::move(next.device), &room_};
  belongs_to(next.connection.get(), visitor.device->spec().socket, visitor.device.get());
  return next.connection.release();
}

void Gate::try_again() {
  if (!any_waits_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  any_waits_.store(false, std::memory_order_relaxed);
  for (auto& [listener, door] : doors_) {
    if (std::exchange(door.waits, false)) arm(listener, true);
  }
}

void Gate::arm(int listener, bool on) noexcept {
  epoll_event event{};
  event.events = on ? EPOLLIN : 0U;
  event.data.fd = listener;
  ::epoll_ctl(set_.get(), EPOLL_CTL_MOD, listener, &event);
}

int Gate::accept() noexcept {
  visitor = {};
  const std::scoped_lock lock(mutex_);
  if (!brought_.empty()) return accept_brought();
  epoll_event knock{};
  if (::epoll_wait(set_.get(), &knock, 1, 0) != 1) return -1;
  const auto door = doors_.find(knock.data.fd);
  if (door == doors_.end() || door->second.device == nullptr) return -1;
  return accept_from(knock.data.fd, door->second);
}

/// A VMM that cannot be let in stays in the queue of its socket. The socket is disarmed until
/// try_again(), so that the VMM does not wake the event thread.
int Gate::accept_from(int listener, Door& door) {
  if (!room_.left()) {
    wait(listener, door,
         fmt::format("librte_vhost has no room for more than {} connections", room_.taken()));
    return -1;
  }
  if (short_of_descriptors()) {
    wait(listener, door, no_descriptors_left());
    return -1;
  }
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    visitor = {door.device, &room_};
    belongs_to(fd, door.device->spec().socket, door.device.get());
  } else if (errno == EMFILE) {
    wait(listener, door, no_descriptors_left());
  } else if (errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    wait(listener, door, "the host is short of what a socket needs: " + reason());
  }
  return fd;
}

/// The answer holds for kShort: when many VMMs knock at once, to look for each would take up the
/// event thread.
bool Gate::short_of_descriptors() {
  const auto now = std::chrono::steady_clock::now();
  if (now < short_until_) return true;
  // Of a VM, of what the next daemon gets of it, and the accepted one.
  if (FdReserve::get().leaves(FdReserve::kOfAVm + kRecordDescriptors + 1)) return false;
  short_until_ = now + kShort;
  return true;
}

void Gate::wait(int listener, Door& door, const std::string& why) {
  arm(listener, false);
  door.waits = true;
  any_waits_.store(true, std::memory_order_relaxed);
  std::uint64_t dropped = 0;
  if (!log_gate_.open(&dropped)) return;
  log::warn("{}: a VMM wants to connect and waits: {}", door.device->spec().name, why);
}

Visitor take_visitor() {
  return std::exchange(visitor, {});
}

}  // namespace vballoon::vhost
