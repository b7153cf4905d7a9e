# dash, busybox, ksh and the like read this as ENV, and read the login files themselves. They do not
# report an edit buffer, so their own line editors are switched off where that is possible: a line
# is delivered by its echo. Behind the user's files stands no word that an alias could change; and
# where PS1 is read-only nothing can tell a prompt, and that is said.
exec 9<&-
unset ENV
if [ "${EXPACTI_ENV+x}" ]; then export ENV="$EXPACTI_ENV"; unset EXPACTI_ENV; fi
__expacti_m=$(printf '\033]133;@NONCE@;')
__expacti_e=$(printf '\007')
printf '%sH;%s;%s;%s;%s;echo%s' "$__expacti_m" "${EXPACTI_SHELL-sh}" "${KSH_VERSION-${BASH_VERSION-}}" "$(tty)" "$$" "$__expacti_e"
__expacti_l= __expacti_r=
if [ "${EXPACTI_SHELL-}" = ash ] || [ -n "${BASH_VERSION-}" ]; then __expacti_l='\[' __expacti_r='\]'; fi
unset EXPACTI_SHELL
if [ -r /etc/profile ]; then . /etc/profile; fi
if [ -r ~/.profile ]; then . ~/.profile; fi
if [ -n "${ENV-}" ] && [ -r "$ENV" ]; then . "$ENV"; fi
if \[ -n "${KSH_VERSION-}" ]; then \set +o emacs +o vi +o gmacs; fi
if (PS1=) 2>/dev/null; then
PS1=$__expacti_l'${__expacti_m-}D;$?${__expacti_e-}${__expacti_m-}w;${PWD-}${__expacti_e-}${__expacti_m-}A${__expacti_e-}'$__expacti_r"${PS1-}"$__expacti_l'${__expacti_m-}B${__expacti_e-}'$__expacti_r
else
\printf '%sU%s' "$__expacti_m" "$__expacti_e"
fi
if (PS2=) 2>/dev/null; then
PS2=$__expacti_l'${__expacti_m-}P${__expacti_e-}'$__expacti_r"${PS2-}"$__expacti_l'${__expacti_m-}Q${__expacti_e-}'$__expacti_r
fi
