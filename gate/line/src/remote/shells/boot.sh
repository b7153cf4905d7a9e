h=${SHELL-}
if [ -z "$h" ]; then h=$(getent passwd "$(id -u)" 2>/dev/null) && h=${h##*:}; fi
if [ ! -x "$h" ]; then h=/bin/sh; fi
if [ ! -e "$HOME/.hushlogin" ]; then cat /run/motd.dynamic /etc/motd 2>/dev/null; fi
plain() { exec "$h" -l; }
case ${h##*/} in
bash)
if [ "${ENV+x}" ]; then export EXPACTI_ENV="$ENV"; fi
exec "$h" --norc --noprofile -c '
case $BASH_VERSION in
[123].*) unset ENV; [ "${EXPACTI_ENV+x}" ] && export ENV="$EXPACTI_ENV"; unset EXPACTI_ENV; exec 9<&-; exec -l "$0" ;;
esac
export ENV=/dev/fd/9
exec -a -bash "$0" --posix' "$h" 9<<"EXPACTI"
@BASH@
EXPACTI
;;
*) plain ;;
esac
