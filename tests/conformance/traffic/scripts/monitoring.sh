#!/bin/bash
# A monitoring check: critical below the least number of real servers, warning if one gets nothing new.
check() {
    local service=$1 least=$2 listing alive=0 quiet=0 connections=0
    if ! listing=$(ipvsadm -L -n -t "$service" 2>&1); then
        echo "UNKNOWN: $listing"
        return 3
    fi
    while read -r arrow _ _ weight active inactive; do
        [[ $arrow == "->" && $weight =~ ^[0-9]+$ ]] || continue
        (( connections += active + inactive ))
        if (( weight > 0 )); then (( alive++ )); else (( quiet++ )); fi
    done <<< "$listing"
    if (( alive < least )); then echo "CRITICAL: $alive of $least real servers"; return 2; fi
    if (( quiet )); then echo "WARNING: $quiet quiesced|connections=$connections"; return 1; fi
    echo "OK: $alive real servers|connections=$connections"
}

counter() { ipvsadm -L -n --stats --exact -t "$1" | awk -v column="$2" '/^TCP/ { print $column }'; }

# A connection list without times; asked for until it comes twice alike, for it changes while it is read.
connections() {
    local now before=
    until now=$(ipvsadm -Lnc | awk '{ $2 = NR > 2 ? "-" : $2; print }' | sort) && [[ $now == "$before" ]]; do before=$now; done
    echo "$now"
}

for service in "$@"; do check "$service" 2; echo "  status $?"; done
echo "connections $(counter "$1" 3) outgoing packets $(counter "$1" 5) outgoing bytes $(counter "$1" 7)"
ipvsadm -L -n --stats -t "$1" | awk '$1 == "->" && NR > 2 { print $2, $3, $5, $7 }'
ipvsadm -L -n --rate -t "$1" | awk '$1 == "TCP" { print NF, $5, $7 }'
list=$(connections)
echo "templates: $(grep -c ' NONE \| ASSURED ' <<< "$list")"
awk '$3 == "ESTABLISHED" { split($6, at, ":"); count[at[1]]++ } END { for (at_ in count) print at_, count[at_] }' <<< "$list" | sort
awk '$3 == "ESTABLISHED" { sub(/:[0-9]+$/, "", $4); print }' <<< "$list" | sort -u
