// SPDX-License-Identifier: BSD-3-Clause
//
// policy/laws.hpp - the laws by their names, and the book of the one that is configured.
// Thread: the control thread.
#pragma once

#include <memory>
#include <optional>

#include "keep/book.hpp"
#include "keep/store.hpp"
#include "policy/law.hpp"
#include "policy/policy_config.hpp"

namespace vballoon::policy {

/// The configured law's memory of VMs, as an earlier daemon left it; an empty one where there is
/// none, or one of another law. Not to have it is no reason not to start; the log says so.
/// @return nothing where nobody keeps it for the next daemon.
[[nodiscard]] std::optional<keep::Book> open_book(const PolicyConfig& config,
                                                  keep::Inherited& inherited,
                                                  const keep::Store& store);

/// @param book  of that law, and outlives it; null: it remembers no longer than the process lives.
[[nodiscard]] std::unique_ptr<Law> make_law(const PolicyConfig& config, keep::Book* book);

}  // namespace vballoon::policy
