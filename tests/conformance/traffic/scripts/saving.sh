#!/bin/sh
# Saving, changing and restoring rules in every way.
VIP=10.0.0.100
ipvsadm -C
ipvsadm -R <<RULES
-A -t $VIP:80 -s wrr
-a -t $VIP:80 -r 10.0.0.11:80 -g -w 100
-a -t $VIP:80 -r 10.0.0.12:80 -g -w 50
-A -t $VIP:443 -s wlc -p 300 -M 255.255.255.0
-a -t $VIP:443 -r 10.0.0.11
ipvsadm -A -u 10.0.0.1:domain -s rr -o
-a -u vip:domain -r web1:domain
RULES
echo "restored: $?"
ipvsadm-save -n > saved; echo "saved: $? $(wc -l < saved) lines"
cat saved
ipvsadm-save
ipvsadm-save -n | cmp - saved && echo "the same again"
ipvsadm -S -n | cmp - saved && echo "the same by -S"
ipvsadm -S > named
ipvsadm -C
ipvsadm-restore < saved; echo "restored: $?"
ipvsadm-save -n | cmp - saved && echo "as it was"
ipvsadm-restore < named; echo "restored: $?"
ipvsadm-save -n | cmp - saved && echo "as it was, by names"
ipvsadm-save -n | ipvsadm-restore; echo "restored: $?"
ipvsadm-save -n | cmp - saved && echo "as it was, through a pipe"
( echo "# rules of today"; cat saved; echo; echo "# end" ) > commented
ipvsadm-restore < commented; echo "restored: $?"
ipvsadm-save -n | cmp - saved && echo "as it was, comments and all"
ipvsadm -R < commented; echo "restored: $?"
ipvsadm -C; ipvsadm -R < saved; ipvsadm -R < saved; echo "restored twice: $?"
sed 's/-w 50/-w 75/; s/wrr/wlc/' saved | ipvsadm-restore; ipvsadm -L -n -t $VIP:80
grep -v $VIP:443 saved | ipvsadm-restore; ipvsadm -L -n | grep -c 443
( cat saved; echo "-A -t 10.0.0.101:80 -s nonsense"; echo "-A -t 10.0.0.101:81" ) | ipvsadm-restore; echo "kernel's refusal: $?"
ipvsadm -L -n | grep 10.0.0.101
( head -n 2 saved; echo "-a -t $VIP:80 -r 10.0.0.13:80 -w heavy"; tail -n 2 saved ) | ipvsadm-restore; echo "misuse: $?"
ipvsadm -S -n
printf -- '-A -t %s:8080 -s rr  ' $VIP | ipvsadm-restore; echo "no newline: $?"
ipvsadm-save -n ignored
ipvsadm-restore ignored -h < saved; echo "words: $?"
ipvsadm -S -n | sort | sed 's/^/ipvsadm /' > script.sh
ipvsadm -C
sh -e script.sh; echo "as a script: $?"
ipvsadm-save -n | cmp - saved && echo "as it was, by a script"
ipvsadm --save --numeric | ipvsadm --restore; echo "over itself: $?"
ipvsadm --clear; ipvsadm --save; echo "nothing: $?"
