#compdef vballoonctl
# SPDX-License-Identifier: BSD-3-Clause
#
# Completion of vballoonctl for zsh. The program itself says what may stand next.

_vballoonctl() {
  local -a offers
  offers=(${(f)"$("${words[1]}" complete "${(@)words[2,CURRENT]}" 2> /dev/null)"})
  # Behind KEY= comes its value, without a blank.
  compadd -S '' -- ${(M)offers:#*=}
  compadd -- ${offers:#*=}
}

_vballoonctl "$@"
