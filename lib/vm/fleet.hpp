// SPDX-License-Identifier: BSD-3-Clause
//
// vm/fleet.hpp - every VM of the host, by name.
// The daemon has a vhost::DeviceFleet, the tests one of VMs that answer at once.
// Thread: the control thread only.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "lcore/report.hpp"
#include "vm/settings.hpp"
#include "vm/vm.hpp"

namespace vballoon::vm {

class Fleet {
 public:
  virtual ~Fleet() = default;

  /// In the order in which they were added. Holds, as each Vm does, until the next change().
  [[nodiscard]] virtual std::span<Vm* const> vms() const = 0;

  /// @return never null.
  /// @errors kNotFound, with the names that there are.
  [[nodiscard]] virtual Result<Vm*> find(std::string_view name) const = 0;

  /// VMs that go and VMs that come: all or nothing. One that is added may have the name or the
  /// socket of one that is removed. The guest of one that is removed keeps its balloon as it is;
  /// what was kept of it for the next daemon is removed, too.
  /// @errors kNotFound; kInvalidArgument for a name, a group or a path that cannot be;
  ///         kAlreadyExists for a name that is taken or a socket on which somebody listens (a stale
  ///         socket file is replaced); kUnavailable where there is no room for more; kHost.
  virtual Result<void> change(std::span<const std::string> remove,
                              std::span<const Settings> add) = 0;
  Result<void> add(const Settings& vm) { return change({}, {&vm, 1}); }
  Result<void> remove(std::string_view name) {
    const std::string one(name);
    return change({&one, 1}, {});
  }

  [[nodiscard]] virtual std::vector<lcore::LcoreReport> lcores() const = 0;
};

}  // namespace vballoon::vm
