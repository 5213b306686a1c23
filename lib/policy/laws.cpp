// SPDX-License-Identifier: BSD-3-Clause
#include "policy/laws.hpp"

#include <utility>

#include "base/log.hpp"
#include "base/units.hpp"
#include "policy/balance_law.hpp"
#include "policy/pressure_law.hpp"

namespace vballoon::policy {
namespace {

bool is_pressure(const PolicyConfig& config) {
  return config.law == "pressure";
}

}  // namespace

std::optional<keep::Book> open_book(const PolicyConfig& config, keep::Inherited& inherited,
                                    const keep::Store& store) {
  if (!store.keeps()) return std::nullopt;
  const auto& form = is_pressure(config) ? PressureLaw::kForm : BalanceLaw::kForm;
  auto book = keep::Book::open(form, inherited, store);
  if (book) return *std::move(book);
  log::warn("automatic ballooning: the next daemon starts anew: {}", book.error().message);
  return std::nullopt;
}

std::unique_ptr<Law> make_law(const PolicyConfig& config, keep::Book* book) {
  if (!is_pressure(config)) return std::make_unique<BalanceLaw>(book);
  return std::make_unique<PressureLaw>(
      PressureSettings{config.step_mib * kMiB, std::chrono::seconds(config.guest_pressure_s)},
      book);
}

}  // namespace vballoon::policy
