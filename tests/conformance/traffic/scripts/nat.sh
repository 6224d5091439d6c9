#!/bin/sh
# Masquerading and tunnels, with ports and kinds of their own.
VIP=10.0.0.100
ipvsadm -C
ipvsadm -A -t $VIP:80 -s lc
for last in 11 12 13; do
    ipvsadm -a -t $VIP:80 -r 10.0.0.$last:8080 -m -w $((last - 10)) || echo "can't add: $?"
done
ipvsadm -A -t $VIP:443 -s sh -b sh-fallback,sh-port
ipvsadm -a -t $VIP:443 -r 10.0.0.11 -i
ipvsadm -a -t $VIP:443 -r 10.0.0.12 -i --tun-type gue --tun-port 6080 --tun-csum
ipvsadm -a -t $VIP:443 -r 10.0.0.13 -i --tun-type gre
ipvsadm -L -n
ipvsadm -L -n --tun-info | awk '$3 ~ /Tunnel|Masq/ { print $2, $3, $4 }'
ipvsadm-save -n > saved; cat saved
ipvsadm-restore < saved; echo $?
ipvsadm-save -n | cmp - saved && echo same
ipvsadm -e -t $VIP:80 -r 10.0.0.11:8080 -m -w 0; echo $?
ipvsadm -e -t $VIP:80 -r 10.0.0.11 -m -w 0; echo $?
ipvsadm -L -n -t $VIP:80 | awk '$3 == "Masq" && $4 == 0 { print $2 }'
ipvsadm -C
