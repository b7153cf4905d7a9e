# The .zshenv of a temporary ZDOTDIR: removes itself, restores the user's ZDOTDIR and lets zsh go on
# with the user's files; the hook in precmd_functions does the rest at each prompt.
builtin zmodload -F zsh/files b:zf_rm b:zf_rmdir 2>/dev/null
zf_rm -f -- "$ZDOTDIR/.zshenv" 2>/dev/null || command rm -f -- "$ZDOTDIR/.zshenv"
zf_rmdir -- "$ZDOTDIR" 2>/dev/null || command rmdir -- "$ZDOTDIR"
if [[ -n ${EXPACTI_ZDOTDIR+x} ]]; then
  builtin export ZDOTDIR=$EXPACTI_ZDOTDIR
  builtin unset EXPACTI_ZDOTDIR
else
  builtin unset ZDOTDIR
fi
builtin printf '\033]133;@NONCE@;H;zsh;%s;%s;%s;check\a' "$ZSH_VERSION" "$TTY" "$$"
builtin typeset -g +x __expacti_m=$'\e]133;@NONCE@;'
builtin typeset -g +x __expacti_w=
__expacti_check() {
  builtin emulate -L zsh
  builtin local b=$BUFFER f=$__expacti_f e=$'\xe2\x82\xac'
  if [[ -n $PREBUFFER ]]; then f+=P; fi
  if [[ $KEYMAP == vi* ]]; then f+=V; fi
  if (( ${#e} == 1 )); then f+=U; fi
  if [[ ${b//[$'\n\t']/} == *[[:cntrl:]]* ]]; then f+=X b=; fi
  b=${b//$'\n'/$'\x1e'}
  b=${b//$'\t'/$'\x1f'}
  builtin print -rn -- "${__expacti_m}K;$f;$b"$'\a' >$TTY
}
__expacti_check_key() {
  if [[ -o banghist ]]; then __expacti_f=-H; else __expacti_f=-; fi
  __expacti_keys
  __expacti_hooks
  __expacti_check
}
__expacti_cwd() {
  builtin emulate -L zsh -o nomultibyte
  builtin local p=$PWD c i
  __expacti_w=
  if [[ $p != *[^A-Za-z0-9/._+,:@=-]* ]]; then __expacti_w=$p; builtin return; fi
  for (( i = 1; i <= $#p; i++ )); do
    c=$p[i]
    if [[ $c != [A-Za-z0-9/._-] ]]; then builtin printf -v c %%%02X "$(( #c & 255 ))"; fi
    __expacti_w+=$c
  done
}
__expacti_wrap() {
  builtin emulate -L zsh
  builtin local a="%{${__expacti_m}A"$'\a%}' b="%{${__expacti_m}B"$'\a%}' p r=1
  p=$a${${PS1//$a/}//$b/}$b
  if [[ ${(t)PS1} == *readonly* ]]; then p=$PS1; fi
  if [[ $PS1 != $p ]]; then PS1=$p r=0; fi
  a="%{${__expacti_m}P"$'\a%}' b="%{${__expacti_m}Q"$'\a%}'
  p=$a${${PS2//$a/}//$b/}$b
  if [[ $PS2 != $p && ${(t)PS2} != *readonly* ]]; then PS2=$p; fi
  builtin typeset -g +x PS1 PS2 2>/dev/null
  builtin return r
}
__expacti_precmd() {
  builtin local s=$?
  builtin setopt no_bang_hist
  __expacti_cwd
  builtin print -rn -- "${__expacti_m}D;$s"$'\a'"${__expacti_m}W;$__expacti_w"$'\a'
  __expacti_wrap
  if [[ ${(t)PS1} == *readonly* && $PS1 != *"${__expacti_m}A"* ]]; then
    builtin print -rn -- "${__expacti_m}A"$'\a'"${__expacti_m}B"$'\a'
  fi
  __expacti_keys
  __expacti_hooks
  builtin return 0
}
__expacti_preexec() {
  builtin print -rn -- "${__expacti_m}C"$'\a'
}
__expacti_hooks() {
  builtin emulate -L zsh
  builtin typeset -ga precmd_functions preexec_functions
  if [[ ${precmd_functions[-1]-} != __expacti_precmd && ${(t)precmd_functions} != *readonly* ]]; then
    precmd_functions=(${precmd_functions:#__expacti_precmd} __expacti_precmd)
  fi
  if [[ ${preexec_functions[-1]-} != __expacti_preexec && ${(t)preexec_functions} != *readonly* ]]; then
    preexec_functions=(${preexec_functions:#__expacti_preexec} __expacti_preexec)
  fi
}
__expacti_keys() {
  builtin emulate -L zsh
  builtin local k
  for k in main emacs viins vicmd; do
    builtin bindkey -M $k '^[[200~' .bracketed-paste
    builtin bindkey -M $k '^M' .accept-line
    builtin bindkey -M $k '^X^_' __expacti_check_key
  done 2>/dev/null
}
__expacti_line_init() {
  builtin emulate -L zsh
  __expacti_keys
  if __expacti_wrap; then builtin zle .reset-prompt; fi
}
__expacti_first() {
  if [[ ${(t)precmd_functions} == *readonly* ]]; then
    if (( ${+widgets[__expacti_check_key]} )); then builtin return 0; fi
  else
    precmd_functions=(${precmd_functions:#__expacti_first})
    builtin unfunction __expacti_first
  fi
  builtin zle -N __expacti_check_key
  builtin autoload -Uz add-zle-hook-widget
  add-zle-hook-widget line-init __expacti_line_init 2>/dev/null
}
builtin typeset -ga precmd_functions preexec_functions
precmd_functions+=(__expacti_first)
__expacti_hooks
if [[ -r ${ZDOTDIR-$HOME}/.zshenv ]]; then builtin source ${ZDOTDIR-$HOME}/.zshenv; fi
