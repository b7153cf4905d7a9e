# Tells how a terminal is set and what is in its foreground: /proc where there is one, else ps. What a
# program chose is printed by printf: the echo of dash would make lines of it.
t=@TTY@
set -- $(stty -a <$t 2>/dev/null)
printf 'stty=%s\n' "$*"
case " $* " in *' -echo '*) e=1 ;; *) e= ;; esac
n=${t##*/}
case $t in
/dev/pts/*[0-9]) n=$((34816 + n % 256 + (n / 256 << 20))) ;;
*) n= ;;
esac
if [ "$n" ] && [ -r /proc/1/stat ]; then
g=
for f in /proc/[0-9]*/stat; do
read -r s <$f || continue
set -- ${s##*\) }
if [ "$5" = $n ] && [ "$6" -gt 0 ]; then g=$6; echo "leader=$4"; break; fi
done 2>/dev/null
[ "$g" ] || exit 0
echo "pid=$g"
l=$g
if [ ! -r /proc/$g/stat ]; then
for f in /proc/[0-9]*/stat; do
read -r s <$f || continue
set -- ${s##*\) }
if [ "$3" = "$g" ]; then g=${f%/stat}; g=${g#/proc/}; break; fi
done 2>/dev/null
fi
while read -r k u s; do
if [ "$k" = Uid: ]; then echo "uid=$u"; echo "euid=${s%%[!0-9]*}"; break; fi
done </proc/$g/status
if [ "$e" ]; then
a=1
for f in /proc/[0-9]*/stat; do
read -r s <$f || continue
f=${f%/stat}
[ "${f#/proc/}" = "$g" ] && continue
set -- ${s##*\) }
if [ "$2" = "$g" ] || [ "$3" = "$l" ]; then a=0; break; fi
done 2>/dev/null
echo "alone=$a"
read -r c </proc/$g/comm && printf 'comm=%s\n' "$c"
fi
printf 'args=%s\n' "$(tr "\000\012\015" "   " </proc/$g/cmdline)"
[ "$e" ] && printf 'exe=%s\n' "$(readlink /proc/$g/exe)"
printf 'cwd=%s\n' "$(readlink /proc/$g/cwd)"
else
set -- $(ps -o tpgid= -t ${t#/dev/})
g=${1:-0}
echo "pid=$g"
echo "leader=$(ps -o sess= -p $g)"
echo "uid=$(ps -o uid= -p $g)"
printf 'args=%s\n' "$(ps -o args= -p $g)"
fi 2>/dev/null
