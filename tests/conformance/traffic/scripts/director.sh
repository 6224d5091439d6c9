#!/bin/sh
# The director's script of a three-server web cluster, as everybody has written it once.
VIP=10.0.0.100
SERVERS="10.0.0.11 10.0.0.12 10.0.0.13"
PORTS="80 443"
IPVSADM=/sbin/ipvsadm
command -v ipvsadm > /dev/null && IPVSADM=ipvsadm

start() {
    $IPVSADM -C
    for port in $PORTS; do
        $IPVSADM -A -t $VIP:$port -s wlc -p 600 || return 1
        weight=1
        for server in $SERVERS; do
            $IPVSADM -a -t $VIP:$port -r $server:$port -g -w $weight || echo "can't add $server: $?"
            weight=$((weight * 2))
        done
    done
    $IPVSADM -A -u $VIP:53 -s rr -o
    for server in $SERVERS; do $IPVSADM -a -u $VIP:53 -r $server; done
}

stop() {
    for port in $PORTS; do
        for server in $SERVERS; do $IPVSADM -d -t $VIP:$port -r $server; done
        $IPVSADM -D -t $VIP:$port
    done
    $IPVSADM -C
}

status() {
    if [ "$($IPVSADM -L -n | wc -l)" -le 3 ]; then
        echo "stopped"
        return 3
    fi
    $IPVSADM -L -n
}

status; echo "status: $?"
start; echo "start: $?"
status; echo "status: $?"
$IPVSADM
$IPVSADM -L -n -t $VIP:80 --persistent-conn
$IPVSADM -Ln --nosort -u $VIP:53
start; echo "start: $?"
stop; echo "stop: $?"
stop; echo "stop: $?"
status; echo "status: $?"
