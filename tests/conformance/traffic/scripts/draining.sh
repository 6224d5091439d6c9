#!/bin/sh
# Let a real server run empty: no new connections, wait for the old ones, take it out.
service=10.0.0.100:80
active() { ipvsadm -L -n -t $service | awk -v server="$1:80" '$2 == server { print $5 }'; }
case $1 in
    begin)
        for weight in 50 10 0; do
            ipvsadm -e -t $service -r $2 -g -w $weight || exit 1
            ipvsadm -L -n -t $service | grep $2: | tr -s ' ' | cut -d' ' -f 2-5
        done
        echo "$(active $2) active"
        ;;
    end)
        tries=0
        while [ "$(active $2)" -gt 0 ]; do
            tries=$((tries + 1))
            [ $tries -lt 100 ] || exit 1
            sleep 0.1
        done
        ipvsadm -d -t $service -r $2; echo "removed: $?"
        ipvsadm -d -t $service -r $2; echo "removed again: $?"
        ipvsadm -L -n -t $service | grep -c Route
        ;;
    back)
        ipvsadm -a -t $service -r $2 -g -w 100; echo "back: $?"
        ipvsadm -L -n -t $service
        ;;
esac
