// SPDX-License-Identifier: BSD-3-Clause
//
// vballoonctl/choice.hpp - the VMs that the words of a command line mean.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rpc/error.hpp"

namespace vballoon::ctl {

/// Whether the text is a list, "vm1,vm2", or has a pattern, "web-*", and not one name. No name has
/// any of these characters.
[[nodiscard]] bool is_choice(std::string_view text) noexcept;

/// @param text   names and patterns, as glob(7) has them, with commas between.
/// @param names  of all VMs.
/// @return those of them that are meant, each once, in the order of `names`.
/// @errors kNotFound: a name that no VM has, or a pattern that fits none.
[[nodiscard]] rpc::Outcome<std::vector<std::string>> choose(std::string_view text,
                                                            const std::vector<std::string>& names);

}  // namespace vballoon::ctl
