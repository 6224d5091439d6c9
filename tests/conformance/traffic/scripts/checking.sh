#!/bin/bash
# A health checker's moves: out, in, a server of last resort, changed weights.
VIP=10.0.0.100:80
SORRY=127.0.0.1
down() {
    if [ "$INHIBIT" = yes ]; then ipvsadm -e -t $VIP -r "$1" -g -w 0; else ipvsadm -d -t $VIP -r "$1"; fi
    echo "down $1: $?"
    if [ -z "$(ipvsadm -L -n -t $VIP | awk '/Route/ && $4 > 0 && !/127.0.0.1/')" ]; then
        ipvsadm -a -t $VIP -r $SORRY -g -w 1 && echo "sorry server in"
    fi
}
up() {
    ipvsadm -e -t $VIP -r "$1" -g -w "$2" 2> /dev/null || ipvsadm -a -t $VIP -r "$1" -g -w "$2"
    echo "up $1: $?"
    ipvsadm -L -n -t $VIP | grep -q "$SORRY" && ipvsadm -d -t $VIP -r $SORRY && echo "sorry server out"
}
for INHIBIT in no yes; do
    ipvsadm -C
    ipvsadm -A -t $VIP -s wlc
    for server in 10.0.0.11 10.0.0.12; do up $server 2; done
    down 10.0.0.11
    ipvsadm -L -n -t $VIP
    down 10.0.0.12
    ipvsadm -L -n -t $VIP
    down 10.0.0.12
    up 10.0.0.11 7
    up 10.0.0.12 3
    ipvsadm -L -n -t $VIP
done
ipvsadm -Z; echo $?
ipvsadm -Z -t $VIP; echo $?
ipvsadm --set 600 60 30; ipvsadm -L --timeout
ipvsadm --set 0 0 0; ipvsadm -L --timeout
ipvsadm --set 900 120 300; ipvsadm -l --timeout
ipvsadm -E -t $VIP -s lc -p 120 -M 255.255.0.0; ipvsadm -L -n
ipvsadm -E -t $VIP; ipvsadm -S -n
