# Runs as the exec request, by /bin/sh: starts the account's login shell with its start-up file.
# It must print nothing but the message of the day, and fall back to a plain login shell.
h=${SHELL-}
if [ -z "$h" ]; then h=$(getent passwd "$(id -u)" 2>/dev/null) && h=${h##*:}; fi
if [ ! -x "$h" ]; then h=/bin/sh; fi
if [ ! -e "$HOME/.hushlogin" ]; then cat /run/motd.dynamic /etc/motd 2>/dev/null; fi
s=${h##*/}
case $s in
bash|ash|dash|ksh|ksh93|mksh|sh)
if [ "${ENV+x}" ]; then export EXPACTI_ENV="$ENV"; fi
;;
esac
case $s in
bash)
exec "$h" --norc --noprofile -c '
case $BASH_VERSION in
[123].*|4.[0123].*) unset ENV; [ "${EXPACTI_ENV+x}" ] && export ENV="$EXPACTI_ENV"; unset EXPACTI_ENV; exec 9<&-; exec -l "$0" ;;
esac
export ENV=/dev/fd/9
exec -a -bash "$0" --posix' "$h" 9<<"EXPACTI"
@BASH@
EXPACTI
;;
zsh)
d=$(umask 077; mktemp -d "${TMPDIR:-/tmp}/expacti.XXXXXXXX" || mktemp -d /tmp/expacti.XXXXXXXX) 2>/dev/null || exec "$h" -l
if ! (umask 077; cat >"$d/.zshenv"); then rm -rf "$d"; exec "$h" -l; fi <<"EXPACTI"
@ZSH@
EXPACTI
if [ "${ZDOTDIR+x}" ]; then export EXPACTI_ZDOTDIR="$ZDOTDIR"; fi
export ZDOTDIR="$d"
exec "$h" -fc '
if [[ $ZDOTDIR != $1 ]]; then
command rm -f -- "$1/.zshenv"; command rmdir -- "$1"; unset EXPACTI_ZDOTDIR
fi
exec -a -zsh "$0"' "$h" "$d"
;;
fish)
exec "$h" -l -C "source </dev/fd/9" 9<<"EXPACTI"
@FISH@
EXPACTI
;;
ash|dash|ksh|ksh93|mksh|sh)
if [ "$s" = sh ] && [ "$h" -ef /bin/busybox ]; then s=ash; fi
if [ "${SHLVL-}" = 1 ]; then unset SHLVL; fi
export EXPACTI_SHELL="$s" ENV=/dev/fd/9
exec "$h" 9<<"EXPACTI"
@SH@
EXPACTI
;;
*) exec "$h" -l ;;
esac
