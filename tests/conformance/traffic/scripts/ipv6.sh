#!/bin/sh
# Both families side by side.
for vip in 10.0.0.100 '[fd00::100]'; do
    for port in 80 443; do
        ipvsadm -A -t "$vip:$port" -s rr || exit
        for last in 11 12; do
            case $vip in
                '['*) ipvsadm -a -t "$vip:$port" -r "[fd00::$last]:$port" -w $last ;;
                *) ipvsadm -a -t "$vip:$port" -r "10.0.0.$last" -w $last ;;
            esac || echo "failed: $?"
        done
    done
done
ipvsadm -A -u '[2001:db8::1]:53' -s wlc -p 60 -M 64
ipvsadm -a -u '[2001:db8::1]:53' -r fd00::11
ipvsadm -L
ipvsadm -L -n
ipvsadm -L -n | awk '/^TCP/ && /\[/ { print $2 }'
ipvsadm -L -n -t '[fd00::100]:80' --stats
ipvsadm-save > named; ipvsadm-save -n | tee saved
ipvsadm-restore < saved; echo $?
ipvsadm-save | cmp - named && echo same
ipvsadm -d -t '[fd00::100]:80' -r '[fd00::11]'; echo $?
ipvsadm -d -t '[fd00::100]:80' -r '[fd00::11]:80'; echo $?
ipvsadm -a -t '[fd00::100]:80' -r 10.0.0.11; echo $?
ipvsadm -a -t '[fd00::100]:80' -r '[fe80::11]:80'; echo $?
ipvsadm -D -t '[fd00::100]:80'; echo $?
ipvsadm -D -t 'fd00::100'; echo $?
ipvsadm -C
