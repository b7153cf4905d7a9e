# bash reads this in place of its login files (as ENV in POSIX mode, on descriptor 9, so that it is
# a login shell all the same), and reads those itself. Names are __expacti_*; nothing is exported.
# The hook runs last in PROMPT_COMMAND: status and directory, the prompts wrapped (by reference, so
# that an exported PS1 does not carry the nonce), history expansion off, the keys bound again. The
# functions come before the user's files, whose aliases would change them; every word is quoted, as
# IFS may be anything. Where PROMPT_COMMAND is read-only the prompt itself says what the hook would;
# where PS1 is, the hook says that a prompt follows.
builtin exec 9<&-
builtin set +o posix
builtin shopt -u inherit_errexit 2>/dev/null
if [ "${EXPACTI_ENV+x}" ]; then builtin export ENV="$EXPACTI_ENV"; builtin unset EXPACTI_ENV; else builtin unset ENV; fi
case ${HISTFILE-} in "$HOME"/.sh_history) HISTFILE=$HOME/.bash_history ;; esac
builtin printf '\033]133;@NONCE@;H;bash;%s;%s;%s;check\a' "$BASH_VERSION" "$(tty)" "$$"
__expacti_m=$'\e]133;@NONCE@;'
__expacti_a=$__expacti_m$'A\a'
__expacti_b=$__expacti_m$'B\a'
__expacti_c=$__expacti_m$'C\a'
__expacti_p=$__expacti_m$'P\a'
__expacti_q=$__expacti_m$'Q\a'
__expacti_check() {
  { builtin local - "b=$READLINE_LINE" f=- e=$'\xe2\x82\xac'; builtin set +xvue; } 2>/dev/null
  if [[ -o histexpand ]]; then f+=H; fi
  if [[ -o vi ]]; then f+=V; fi
  if [[ ${#e} == 1 ]]; then f+=U; fi
  if [[ ${b//[$'\n\t']/} == *[[:cntrl:]]* ]]; then f+=X b=; fi
  b=${b//$'\n'/$'\x1e'}
  builtin printf '%sK;%s;%s\a' "$__expacti_m" "$f" "${b//$'\t'/$'\x1f'}"
  __expacti_keys
  __expacti_install
}
__expacti_cwd() {
  builtin local LC_ALL=C "p=$PWD" c d i
  __expacti_w=
  if [[ $p != *[!A-Za-z0-9/._+,:@=-]* ]]; then __expacti_w=$p; return; fi
  for ((i = 0; i < ${#p}; i++)); do
    c=${p:i:1}
    case $c in
    [A-Za-z0-9/._-]) __expacti_w+=$c ;;
    *) builtin printf -v d %d "'$c"; builtin printf -v c %%%02X "$((d & 255))"; __expacti_w+=$c ;;
    esac
  done
}
__expacti_hook() {
  { builtin local s=$?; builtin set +H; builtin local - p a b; builtin set +xvue; } 2>/dev/null
  if [[ ${__expacti_s-} ]]; then s=$__expacti_s; fi
  __expacti_cwd
  builtin printf '%sD;%s\a%sW;%s\a' "$__expacti_m" "$s" "$__expacti_m" "$__expacti_w"
  a='\[${__expacti_a-}\]' b='\[${__expacti_b-}\]'
  p=${PS1//"$a"/}; p=$a${p//"$b"/}$b
  if [[ $PS1 == "$p" ]]; then :
  elif [[ ${PS1@a} == *r* ]]; then builtin printf '%s%s' "$__expacti_a" "$__expacti_b"
  else PS1=$p; fi
  a='\[${__expacti_p-}\]' b='\[${__expacti_q-}\]'
  p=${PS2//"$a"/}; p=$a${p//"$b"/}$b
  if [[ $PS2 != "$p" && ${PS2@a} != *r* ]]; then PS2=$p; fi
  a='${__expacti_c-}'
  p=$a${PS0//"$a"/}
  if [[ $PS0 != "$p" && ${PS0@a} != *r* ]]; then PS0=$p; fi
  __expacti_keys
  __expacti_install
  builtin return "$s"
}
__expacti_keys() {
  builtin local k
  for k in emacs vi-insert vi-command; do
    builtin bind -m "$k" '"\e[200~": bracketed-paste-begin'
    builtin bind -m "$k" '"\C-m": accept-line'
    builtin bind -m "$k" -x '"\C-x\C-_": __expacti_check'
  done
  builtin bind 'set enable-bracketed-paste on'
} 2>/dev/null
__expacti_fixed() {
  [[ ${PROMPT_COMMAND+${PROMPT_COMMAND@a}}${PROMPT_COMMAND[*]+${PROMPT_COMMAND[*]@a}} == *r* ]]
}
__expacti_install() {
  if __expacti_fixed; then builtin return 0; fi
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then
    builtin local i n=0 l=-1
    for i in "${!PROMPT_COMMAND[@]}"; do
      l=$i
      case ${PROMPT_COMMAND[i]} in __expacti_hook) n=$((n + 1)) ;; esac
    done
    if [[ $l != -1 && $n == 1 && ${PROMPT_COMMAND[l]} == __expacti_hook ]]; then builtin return 0; fi
    for i in "${!PROMPT_COMMAND[@]}"; do
      case ${PROMPT_COMMAND[i]} in __expacti_hook) builtin unset "PROMPT_COMMAND[$i]" ;; esac
    done
    PROMPT_COMMAND+=(__expacti_hook)
  else
    case ${PROMPT_COMMAND-} in
    *__expacti_hook) ;;
    *) PROMPT_COMMAND='__expacti_s=$?'$'\n'"${PROMPT_COMMAND-}"$'\n__expacti_hook' ;;
    esac
  fi
}
if [ -r /etc/profile ]; then . /etc/profile; fi
if [ -r ~/.bash_profile ]; then . ~/.bash_profile
elif [ -r ~/.bash_login ]; then . ~/.bash_login
elif [ -r ~/.profile ]; then . ~/.profile
fi
\builtin export -n __expacti_m __expacti_a __expacti_b __expacti_c __expacti_p __expacti_q
\builtin set +H
__expacti_install
if __expacti_fixed && [[ ${PS1+${PS1@a}} != *r* ]]; then
  __expacti_keys
  PS1='\[${__expacti_m-}d;$?'$'\a''${__expacti_m-}w;${PWD-}'$'\a''${__expacti_a-}\]'${PS1-}'\[${__expacti_b-}\]'
  if [[ ${PS0+${PS0@a}} != *r* ]]; then PS0='${__expacti_c-}'${PS0-}; fi
  if [[ ${PS2+${PS2@a}} != *r* ]]; then PS2='\[${__expacti_p-}\]'${PS2-}'\[${__expacti_q-}\]'; fi
fi
