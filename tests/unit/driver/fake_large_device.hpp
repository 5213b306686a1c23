// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/driver/fake_large_device.hpp - a small device side of the balloon of large pages: it
// answers a VMM, and a thread of its own answers the rings by a script that may lie.
// Independent of lib/virtq and lib/datapath on purpose: two readings of docs/device-13.md.
#pragma once

#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <thread>
#include <vector>

#include "driver/large_balloon_driver.hpp"
#include "fake_backend.hpp"
#include "fake_device.hpp"
#include "fake_packed_device.hpp"

namespace vballoon::driver {

/// One buffer as a device sees it.
struct FakeBuffer {
  std::vector<std::byte> readable;
  std::vector<std::span<std::byte>> writable;

  [[nodiscard]] std::size_t room() const {
    std::size_t bytes = 0;
    for (const auto part : writable) bytes += part.size();
    return bytes;
  }
  void write(std::span<const std::byte> bytes) const {
    for (const auto part : writable) {
      const std::size_t n = std::min(part.size(), bytes.size());
      std::copy_n(bytes.begin(), n, part.begin());
      bytes = bytes.subspan(n);
    }
  }
  [[nodiscard]] wire::large::Header header() const {
    wire::large::Header header;
    std::memcpy(&header, readable.data(), sizeof(header));
    return header;
  }
  [[nodiscard]] std::vector<Gpa> pages() const {
    std::vector<Gpa> pages((readable.size() - sizeof(wire::large::Header)) / sizeof(Gpa));
    const auto whole = std::span(readable).subspan(sizeof(wire::large::Header));
    std::ranges::copy(whole.first(pages.size() * sizeof(Gpa)),
                      std::as_writable_bytes(std::span(pages)).begin());
    return pages;
  }
};

/// Either layout of a ring, as the device goes through it.
class FakeRing {
 public:
  FakeRing(const GuestRam& ram, const DriverQueue& queue) : ram_(ram), call_(queue.call_fd()) {
    if (queue.packed()) {
      packed_.emplace(queue);
    } else {
      split_.emplace(queue.areas());
    }
  }

  /// The next buffer; held until use().
  std::optional<FakeBuffer> take() {
    std::vector<wire::Descriptor> chain;
    if (packed_) {
      const auto taken = packed_->take();
      if (!taken) return std::nullopt;
      for (const auto& d : taken->chain) chain.push_back({d.addr, d.len, d.flags, 0});
      id_ = taken->id;
    } else {
      const auto head = split_->take();
      if (!head) return std::nullopt;
      for (std::uint16_t at = *head;; at = chain.back().next) {
        chain.push_back(split_->descriptor(at));
        if ((chain.back().flags & wire::kDescNext) == 0) break;
      }
      id_ = *head;
    }
    length_ = chain.size();
    return gather(chain);
  }

  void use(std::uint32_t written) {
    if (packed_) {
      packed_->use(id_, length_, written);
    } else {
      split_->use(id_, written);
      split_->give();
    }
    ::eventfd_write(call_, 1);
  }

 private:
  [[nodiscard]] FakeBuffer gather(std::span<const wire::Descriptor> chain) const {
    FakeBuffer buffer;
    for (const wire::Descriptor& d : chain) {
      const auto bytes = ram_.at(Gpa{d.addr}, d.len);
      if ((d.flags & wire::kDescWrite) != 0) {
        buffer.writable.push_back(bytes);
      } else {
        buffer.readable.insert(buffer.readable.end(), bytes.begin(), bytes.end());
      }
    }
    return buffer;
  }

  const GuestRam& ram_;
  int call_;
  std::optional<FakeDevice> split_;
  std::optional<FakePackedDevice> packed_;
  std::uint16_t id_ = 0;
  std::size_t length_ = 0;
};

/// Answers one message. @return the used length.
using MessageScript = std::function<std::uint32_t(const FakeBuffer&)>;

/// The rings of a driver that is up, answered until this ends.
class FakeRings {
 public:
  FakeRings(LargeBalloonDriver& driver, MessageScript script)
      : from_(driver.ram(), driver.queue(Role::kFromDevice)),
        to_(driver.ram(), driver.queue(Role::kToDevice)),
        script_(std::move(script)),
        thread_([this] { serve(); }) {}
  ~FakeRings() {
    end_ = true;
    thread_.join();
  }
  FakeRings(const FakeRings&) = delete;
  FakeRings& operator=(const FakeRings&) = delete;

  /// Into the next buffer of fromdevq, all of it unless the device says that it wrote less.
  /// @return whether there was one.
  bool request(const wire::large::Request& request,
               std::uint32_t written = sizeof(wire::large::Request)) {
    const std::scoped_lock lock(mutex_);
    const auto buffer = from_.take();
    if (!buffer || buffer->room() < written) return false;
    buffer->write(std::as_bytes(std::span(&request, 1)).first(written));
    from_.use(written);
    return true;
  }
  /// Whatever came through todevq so far.
  [[nodiscard]] std::vector<FakeBuffer> seen() {
    const std::scoped_lock lock(mutex_);
    return seen_;
  }

 private:
  void serve() {
    while (!end_) {
      {
        const std::scoped_lock lock(mutex_);
        while (const auto buffer = to_.take()) {
          seen_.push_back(*buffer);
          to_.use(script_(*buffer));
        }
      }
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  std::mutex mutex_;
  FakeRing from_;
  FakeRing to_;
  MessageScript script_;
  std::vector<FakeBuffer> seen_;
  std::atomic<bool> end_{false};
  std::thread thread_;
};

/// The VMM's half: what the device offers, and its configuration space.
struct FakeLargeVmm {
  std::uint64_t offered = 0;
  wire::large::Config config;
  std::uint64_t acked = 0;
  std::map<std::uint32_t, std::uint32_t> bases;
  std::set<std::uint32_t> config_reads;

  Answer operator()(const Message& m) {
    wire::VringState state;
    switch (static_cast<wire::Request>(m.header.request)) {
      case wire::Request::kGetFeatures:
        return to_bytes(offered);
      case wire::Request::kGetProtocolFeatures:
        return to_bytes(wire::protocol::kReplyAck | wire::protocol::kConfig);
      case wire::Request::kSetFeatures:
        std::memcpy(&acked, m.payload.data(), sizeof(acked));
        return std::nullopt;
      case wire::Request::kGetConfig:
        return read(m);
      case wire::Request::kSetVringBase:
        std::memcpy(&state, m.payload.data(), sizeof(state));
        bases[state.index] = state.num;
        return std::nullopt;
      case wire::Request::kGetVringBase:
        std::memcpy(&state, m.payload.data(), sizeof(state));
        return to_bytes(wire::VringState{state.index, bases[state.index]});
      default:
        return std::nullopt;
    }
  }

 private:
  Answer read(const Message& m) {
    wire::ConfigHeader head;
    std::memcpy(&head, m.payload.data(), sizeof(head));
    std::vector<std::byte> answer = m.payload;
    const auto bytes = std::as_bytes(std::span(&config, 1)).subspan(head.offset, head.size);
    std::ranges::copy(bytes, answer.begin() + sizeof(head));
    config_reads.insert(head.offset);
    return answer;
  }
};

}  // namespace vballoon::driver
