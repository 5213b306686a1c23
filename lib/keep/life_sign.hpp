// SPDX-License-Identifier: BSD-3-Clause
//
// keep/life_sign.hpp - when this process last showed that it lives, for the next one to see.
// Thread: the control thread.
// Why:    a process that is killed leaves no note. This is a page of memory that the service
//         manager keeps (keep/store.hpp), so each store into it outlives the process at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "keep/store.hpp"

namespace vballoon::keep {

class LifeSign {
 public:
  struct Earlier {
    std::uint64_t at_ms = 0;  ///< its last sign, by boot_ms()
    std::string version;
  };

  /// Takes the page that an earlier process left; else makes one, which the manager keeps.
  /// @param version  of this program. @pre store.keeps(). @errors kHost.
  [[nodiscard]] static Result<LifeSign> begin(Inherited& inherited, const Store& store,
                                              std::string_view version);
  ~LifeSign();
  LifeSign(LifeSign&& other) noexcept;
  LifeSign& operator=(LifeSign&&) = delete;

  /// What the page said before the first beat(); nothing where it was new.
  [[nodiscard]] const std::optional<Earlier>& earlier() const noexcept { return earlier_; }

  /// From now on the page is of this process. Costs no system call.
  void beat() noexcept;

 private:
  struct Page;
  LifeSign(Page* page, std::string_view version) : page_(page), version_(version) {}
  [[nodiscard]] static Page* map(int fd) noexcept;
  void read_earlier();

  Page* page_;
  std::string version_;  // until it is in the page
  std::optional<Earlier> earlier_;
};

}  // namespace vballoon::keep
