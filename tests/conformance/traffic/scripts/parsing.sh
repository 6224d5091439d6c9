#!/bin/bash
# Everything people fish out of listings with awk, grep, sed and cut.
set -u
ipvsadm -C
for last in 11 12 13; do
    [ $last = 11 ] && ipvsadm -A -t 10.0.0.100:80 -s wrr && ipvsadm -A -t 10.0.0.101:443 -s rr -p
    ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.$last -w $((last * 10)) -x $last -y 5
    ipvsadm -a -t 10.0.0.101:443 -r 10.0.0.$last
done
echo "services: $(ipvsadm -Ln | grep -cE '^(TCP|UDP|SCTP|FWM)')"
echo "real servers: $(ipvsadm -Ln | grep -c -- '->.*Route')"
ipvsadm -Ln | awk '/^TCP/ { vip = $2; scheduler = $3 } /Route/ { print vip, scheduler, $2, $4, $5 + $6 }'
ipvsadm -L -n | awk '$1 == "->" && $2 != "RemoteAddress:Port" { total += $4 } END { print "weight in all:", total }'
ipvsadm -L -n | sed -n 's/^  -> \(10\.0\.0\.1[0-9]\):80 .*Route *\([0-9]*\).*/\1 has \2/p'
ipvsadm -L -n -t 10.0.0.100:80 | tail -n +4 | cut -c 6-26 | sort -r
ipvsadm -L -n --stats --exact | awk '/->/ && NR > 3 { conns += $3; bytes += $6 } END { print conns, bytes }'
ipvsadm -L -n --rate | grep -A 3 '^TCP  10.0.0.101' | tr -s ' ' | cut -d' ' -f 2-5
ipvsadm -L -n --thresholds | awk '$1 == "->" && $3 ~ /^[0-9]+$/ && $3 > 11 { print $2, $3, $4 }'
ipvsadm -L -n --persistent-conn | awk '/10.0.0.13:443/ { print $3, $4, $5, $6 }'
ipvsadm -l --timeout | awk '{ print $5 }'
ipvsadm -L --timeout | sed 's/.*: //' | while read -r tcp fin udp; do echo "tcp $tcp fin $fin udp $udp"; done
echo "version: $(ipvsadm --version | grep -o 'IPVS v[0-9.]*')"
ipvsadm -v | cut -d' ' -f 1-2
ipvsadm -Ln | head -n 1 | grep -o 'size=[0-9]*'
echo "connections: $(ipvsadm -l -c -n | wc -l)"
ipvsadm -lcn | awk 'NR > 2 { states[$3]++ } END { for (state in states) print state, states[state] }'
while read -r _ address _ weight _; do
    case $weight in
        110) echo "$address is light" ;;
        130) echo "$address is heavy" ;;
    esac
done <<< "$(ipvsadm -L -n -t 10.0.0.100:80)"
mapfile -t servers <<< "$(ipvsadm -S -n | awk '$1 == "-a" && $3 == "10.0.0.100:80" { print $5 }')"
echo "${#servers[@]} servers: ${servers[*]%:*}"
for server in "${servers[@]}"; do ipvsadm -d -t 10.0.0.100:80 -r "$server"; done
ipvsadm -L -n -t 10.0.0.100:80 | grep -q Route || echo "none is left"
ipvsadm -L -n -t 10.0.0.99:80 2> /dev/null || echo "no such service: $?"
