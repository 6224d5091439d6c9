#!/bin/sh
# Rotates all real servers out and in again, as deployments do it, and works on saved rules as on any other text.
set -u
service=10.0.0.100:80
rules=$(mktemp)
trap 'rm -f "$rules" "$rules.before"' EXIT

servers() { ipvsadm -Ln -t "$service" | awk '/->/ && $2 != "RemoteAddress:Port" { print $2, $4 }'; }
active() { ipvsadm -Ln -t "$service" | awk -v server="$1" '$2 == server { print $5 }'; }

ipvsadm -C
ipvsadm-restore <<END || echo "restore: $?"
-A -t $service -s wlc
-a -t $service -r 10.0.0.11:80 -g -w 3
-a -t $service -r 10.0.0.12:80 -g -w 2 -x 10 -y 5
-a -t $service -r 10.0.0.13:80 -g -w 1
END

servers | while read -r server weight; do
    ipvsadm -e -t "$service" -r "$server" -w 0 || break
    [ "$(active "$server")" = 0 ] && ipvsadm -d -t "$service" -r "$server"
    ipvsadm -e -t "$service" -r "$server" -w 1 2> /dev/null; echo "edit of the removed: $?"
    ipvsadm -a -t "$service" -r "$server" -w "$weight"
    ipvsadm -a -t "$service" -r "$server" -w "$weight"; echo "added twice: $?"
done
servers

# Saved rules are text: weights written twice, one server taken out, sorted the wrong way round and the right one.
ipvsadm-save -n > "$rules.before"
sed 's/-w \([0-9]*\)/-w \1\1/; /10.0.0.13/d' "$rules.before" > "$rules"
ipvsadm -C && ipvsadm-restore < "$rules"; echo "restored: $?"
ipvsadm -Sn
sort -r "$rules" > "$rules.before"
ipvsadm -C; ipvsadm -R < "$rules.before"; echo "the wrong way round: $?"
ipvsadm -Sn
ipvsadm -C; LC_ALL=C sort "$rules" | ipvsadm -R; echo "the right way: $?"
ipvsadm -Sn | cmp - "$rules" && echo "as it was"
ipvsadm -C; ipvsadm -R < /dev/null; echo "nothing: $?"
printf -- '-A -t %s -s rr' "$service" | ipvsadm -R; echo "without a newline: $?"
printf -- '-a -t %s -r 10.0.0.11\r\n' "$service" | ipvsadm -R; echo "from another system: $?"
if ipvsadm -Ln -t 10.0.0.101:80 > /dev/null 2>&1; then echo "there"; else echo "not there: $?"; fi
ipvsadm -Ln | tail -n +4 | wc -l
ipvsadm -D -t "$service" && ipvsadm -Sn | wc -l
