// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/stored_bag.hpp - the bags that the service manager keeps, one for each device that has one.
// Thread: the control thread; a bag that is a device's is guarded by the device's lock.
// Why:    the manager keeps a descriptor under a name, and a bag has two ends. Their names are
//         bN.in and bN.out, whatever the device's name is: that one is in the record.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "keep/bag.hpp"
#include "keep/store.hpp"
#include "vhost/left_doors.hpp"
#include "vhost/record.hpp"
#include "vm/kept_settings.hpp"

namespace vballoon::vhost {

class StoredBag {
 public:
  /// @param store  outlives this.
  StoredBag(const keep::Store& store, unsigned number, keep::Bag bag) noexcept
      : store_(store), number_(number), bag_(std::move(bag)) {}

  [[nodiscard]] keep::Bag& bag() noexcept { return bag_; }
  /// The manager is still there.
  [[nodiscard]] bool kept() const noexcept { return store_.keeps(); }
  /// From now on the manager keeps it. @errors of keep::Store::add().
  [[nodiscard]] Result<void> store();
  /// Empties it, and the manager keeps it no longer. Thread: the control thread.
  void forget() noexcept;

 private:
  const keep::Store& store_;
  unsigned number_;
  keep::Bag bag_;
};

/// What an earlier daemon left of a device.
struct Inheritance {
  std::unique_ptr<StoredBag> bag;
  Record record;
  std::vector<UniqueFd> descriptors;  ///< in the order of the record, but without the door
  /// The last sign of life of whoever left it, by keep::boot_ms(); nothing: not known.
  std::optional<std::uint64_t> last_sign_ms = {};
};

class Bags {
 public:
  explicit Bags(const keep::Store& store) noexcept : store_(store) {}

  /// Takes those that an earlier daemon left.
  /// @errors kHost: not all descriptors of a record can be taken. Nothing is lost; the operator
  ///         raises a limit.
  [[nodiscard]] Result<void> adopt(keep::Inherited& inherited);
  /// What was left of the device of this name; nothing where nothing was.
  [[nodiscard]] std::optional<Inheritance> take(const std::string& device);
  /// An empty one, which the manager keeps. @errors kHost.
  [[nodiscard]] Result<std::unique_ptr<StoredBag>> make();
  /// Of the devices that were left and not taken, those whose settings are there.
  [[nodiscard]] std::vector<vm::KeptSettings> settings() const;
  /// The listening sockets that were left; each may be taken by itself.
  [[nodiscard]] LeftDoors& doors() noexcept { return doors_; }
  /// There are no more devices: what nobody took is forgotten.
  void forget_rest();

 private:
  [[nodiscard]] Result<void> adopt_one(keep::Inherited& inherited, unsigned number);
  void sort(std::unique_ptr<StoredBag> bag, keep::BagContents contents);

  const keep::Store& store_;
  unsigned next_ = 0;  // above all numbers that there are
  std::map<std::string, Inheritance> left_;
  LeftDoors doors_;
  std::vector<std::unique_ptr<StoredBag>> empty_;
};

}  // namespace vballoon::vhost
