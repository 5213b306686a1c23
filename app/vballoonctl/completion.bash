# SPDX-License-Identifier: BSD-3-Clause
#
# Completion of vballoonctl for bash. The program itself says what may stand next.

_vballoonctl() {
  local line=${COMP_LINE:0:COMP_POINT} words current
  read -ra words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(""); fi
  current=${words[-1]}
  mapfile -t COMPREPLY < <("$1" complete "${words[@]:1}" 2>/dev/null)
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
  # For bash '=' ends a word, so bash replaces only the text after it.
  if [[ $current == *=* && $COMP_WORDBREAKS == *=* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${current%%=*}="}")
  fi
}
complete -o bashdefault -o default -F _vballoonctl vballoonctl
