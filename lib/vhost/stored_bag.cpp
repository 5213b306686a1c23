// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/stored_bag.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "base/log.hpp"

namespace vballoon::vhost {
namespace {

constexpr std::string_view kIn = ".in";

std::string name_in(unsigned number) {
  return fmt::format("b{}.in", number);
}
std::string name_out(unsigned number) {
  return fmt::format("b{}.out", number);
}

/// Of the name of a bag's first end.
std::optional<unsigned> number_of(std::string_view name) noexcept {
  if (!name.starts_with('b') || !name.ends_with(kIn)) return std::nullopt;
  const std::string_view digits = name.substr(1, name.size() - 1 - kIn.size());
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  if (error != std::errc{} || end != digits.end() || name != name_in(number)) return std::nullopt;
  return number;
}

}  // namespace

Result<void> StoredBag::store() {
  if (auto ok = store_.add(name_in(number_), bag_.in()); !ok) return ok;
  return store_.add(name_out(number_), bag_.out());
}

void StoredBag::forget() noexcept {
  bag_.empty();
  store_.remove(name_in(number_));
  store_.remove(name_out(number_));
}

Result<void> Bags::adopt(keep::Inherited& inherited) {
  std::set<unsigned> numbers;
  for (const std::string& name : inherited.names()) {
    if (const auto number = number_of(name)) numbers.insert(*number);
  }
  for (const unsigned number : numbers) {
    next_ = std::max(next_, number + 1);
    if (auto ok = adopt_one(inherited, number); !ok) return ok;
  }
  store_.discard(std::move(inherited));
  return {};
}

/// Half a pair is what is left of a daemon that ended between the two.
Result<void> Bags::adopt_one(keep::Inherited& inherited, unsigned number) {
  auto in = inherited.take(name_in(number));
  auto out = inherited.take(name_out(number));
  if (!in || !out) {
    store_.remove(name_in(number));
    store_.remove(name_out(number));
    return {};
  }
  auto bag = keep::Bag::adopt(*std::move(in), *std::move(out));
  if (!bag) {
    log::warn("what is kept under {}: {}", name_in(number), bag.error().message);
    store_.remove(name_in(number));
    store_.remove(name_out(number));
    return {};
  }
  auto stored = std::make_unique<StoredBag>(store_, number, *std::move(bag));
  auto contents = stored->bag().look();
  if (!contents && contents.error().code == Code::kHost) return tl::unexpected(contents.error());
  if (!contents) log::warn("what is kept under {}: {}", name_in(number), contents.error().message);
  if (contents && *contents) {
    sort(std::move(stored), **std::move(contents));
  } else {
    stored->bag().empty();
    empty_.push_back(std::move(stored));
  }
  return {};
}

void Bags::sort(std::unique_ptr<StoredBag> bag, keep::BagContents contents) {
  auto record = decode(contents.record, contents.descriptors.size());
  std::string why = record ? "" : record.error().message;
  if (record && left_.contains(record->device)) why = "there are two of '" + record->device + "'";
  if (!why.empty()) {
    log::error("a VM's connection is not taken up, and ends: {}", why);
    bag->bag().empty();
    empty_.push_back(std::move(bag));
    return;
  }
  if (record->door) {
    doors_.add({std::move(contents.descriptors.front()), *record->door});
    contents.descriptors.erase(contents.descriptors.begin());
  }
  std::string device = record->device;
  left_.emplace(std::move(device),
                Inheritance{std::move(bag), *std::move(record), std::move(contents.descriptors)});
}

std::optional<Inheritance> Bags::take(const std::string& device) {
  auto found = left_.extract(device);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

std::vector<vm::KeptSettings> Bags::settings() const {
  std::vector<vm::KeptSettings> all;
  for (const auto& [device, left] : left_) {
    if (left.record.settings.empty()) continue;
    auto kept = vm::read_kept_settings(left.record.settings);
    if (kept && kept->added.name != device) {
      kept = fail(Code::kInvalidArgument, fmt::format("they are of '{}'", kept->added.name));
    }
    if (kept) {
      all.push_back(*std::move(kept));
    } else {
      log::warn("{}: its settings are not taken up: {}", device, kept.error().message);
    }
  }
  return all;
}

Result<std::unique_ptr<StoredBag>> Bags::make() {
  if (!empty_.empty()) {
    auto bag = std::move(empty_.back());
    empty_.pop_back();
    return bag;
  }
  auto made = keep::Bag::make();
  if (!made) return tl::unexpected(made.error());
  auto bag = std::make_unique<StoredBag>(store_, next_++, *std::move(made));
  if (auto ok = bag->store(); !ok) return tl::unexpected(ok.error());
  return bag;
}

void Bags::forget_rest() {
  for (auto& [device, left] : left_) {
    if (left.record.connected) {
      log::warn("{}: its VM's connection ends: there is no such device any more", device);
    }
    left.bag->forget();
  }
  left_.clear();
  doors_.close_rest();
  for (const auto& bag : empty_) bag->forget();
  empty_.clear();
}

}  // namespace vballoon::vhost
