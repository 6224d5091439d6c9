#!/bin/sh
# Debian's init script, with its rules in /etc/ipvsadm.rules.
export _SYSTEMCTL_SKIP_REDIRECT=1
service() { echo "== $1"; /etc/init.d/ipvsadm "$1" 2>&1; echo "= $?"; }
service status
cat > /etc/ipvsadm.rules <<RULES
# ipvsadm.rules
-A -t 10.0.0.100:80 -s wrr
-a -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 1
-a -t 10.0.0.100:80 -r 10.0.0.12:80 -g -w 2
RULES
service start
service status
ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.13 -w 3
service save
cat /etc/ipvsadm.rules
service load
service rate
echo "-A -t nowhere:80" >> /etc/ipvsadm.rules
service reload
service stop
service status
ipvsadm-restore < /etc/ipvsadm.rules; echo $?
ipvsadm-save -n
service
service nonsense
