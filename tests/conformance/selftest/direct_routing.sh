#!/usr/bin/env bash
# A file fetched through a director, step by step, as root: the topology and the direct-routing steps
# of the Linux kernel's own end-to-end test of IPVS (tools/testing/selftests/net/netfilter/ipvs.sh),
# over both IP families. See steps.bash.
#
#     client ---+--- bridge ---+--- director   DIP, VIP, a table
#                              +--- server     RIP, VIP on lo, silent in ARP; sends a file to whoever connects
source "$(dirname "$0")/steps.bash"

hosts_and_bridge
at_bridge client eth0 50
at_bridge director eth0 2
at_bridge server eth0 11
director_answers
server_is_silent
serve
fetches "the file" 198.51.100.11
fetches refused 198.51.100.100
for vip in 198.51.100.100:8080=198.51.100.11:8080 "[2001:db8::100]:8080=[2001:db8::11]:8080"; do
  rip=${vip#*=} vip=${vip%=*}
  address=${vip%:*} address=${address#[} address=${address%]}
  command_line -A -t "$vip" -s rr
  fetches refused "$address"
  command_line -a -t "$vip" -r "$rip" -g
  fetches "the file" "$address"
  fetches "the file" "$address"
  command_line -L -n
  command_line -d -t "$vip" -r "$rip"
  fetches refused "$address"
  command_line -a -t "$vip" -r "$rip" -g
  fetches "the file" "$address"
  command_line -L -n
done
command_line -C
fetches refused 198.51.100.100
fetches refused 2001:db8::100
exit $wrong
