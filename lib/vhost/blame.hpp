// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/blame.hpp - how often the daemon crashed while it worked for this VM, and what that has led
//                   to.
// Invariant: what it has led to holds for the next daemon, until the operator says otherwise.
// Thread: the device's lock guards all of it.
// Why:    a crash of one VM's doing is every VM's: their balloons stand still until the next daemon
//         is there. A VM that does that again and again is served no more. Its VMM notices nothing,
//         since that would end its guest: the connection is kept and its messages are answered.
//         Messages that crash the daemon even so are heard no more, either.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "keep/crash_book.hpp"

namespace vballoon::vhost {

/// Shown in the log, and as the reason in the device's figures.
inline constexpr const char* kWhySetAside =
    "set aside: the daemon crashed 5 times within 10 minutes while it worked for this VM; its "
    "guest keeps its balloon as it is, and no ring is served until `vballoonctl readmit` names it";
inline constexpr const char* kWhyShutOut =
    "shut out: the daemon crashed 3 times within 10 minutes while it worked for this VM, which was "
    "set aside already; its VMM is not let in until `vballoonctl readmit` names it";

class Blame {
 public:
  enum class Standing : std::uint32_t {
    kServed = 0,
    kSetAside = 1,  ///< connected, and none of its rings is served
    kShutOut = 2,   ///< not connected
  };

  Blame() = default;
  ~Blame() { forget_hands(); }
  Blame(const Blame&) = delete;
  Blame& operator=(const Blame&) = delete;

  /// From now on crashes are noted on this page, which outlives this object.
  /// @param hands  what threads name that work for this VM.
  void keep_in(keep::CrashPage& page, std::initializer_list<const void*> hands) noexcept;

  /// Judges what earlier daemons noted, once. @return what is new of it, for the log; or empty.
  [[nodiscard]] std::string judge();

  [[nodiscard]] Standing standing() const noexcept { return standing_; }
  /// @return why the VM is not served; empty where it is.
  [[nodiscard]] std::string_view why_not_served() const noexcept;

  /// The operator wants it served again: all crashes are forgotten.
  void readmit() noexcept;
  /// The device is removed, and its page is nobody's.
  void forget() noexcept;

 private:
  void forget_hands() noexcept;

  keep::CrashPage* page_ = nullptr;  // null: crashes are not noted
  Standing standing_ = Standing::kServed;
};

}  // namespace vballoon::vhost
