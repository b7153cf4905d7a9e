# Tells which terminals the other commands of this connection have: they have the same parent.
p=$PPID
ps -A -o ppid= -o tty= 2>/dev/null | while read -r a t; do
if [ "$a" = "$p" ]; then echo "tty=/dev/$t"; fi
done
