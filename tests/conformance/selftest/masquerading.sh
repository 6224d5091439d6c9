#!/usr/bin/env bash
# A file fetched through a director that masquerades, step by step, as root: the steps that the Linux kernel's own
# end-to-end test of IPVS (tools/testing/selftests/net/netfilter/ipvs.sh) takes with -m, over both IP families, and
# with another port. See steps.bash.
#
#     client --- bridge --- director --- server
#                           VIP, a table     RIP, its way out is the director; sends a file to whoever connects
source "$(dirname "$0")/steps.bash"

hosts_and_bridge
at_bridge client eth0 50
at_bridge director eth0 2
behind_director
director_answers
in_host director sysctl -qw net.ipv6.conf.all.forwarding=1
in_host server ip route add default via 203.0.113.1
in_host server ip route add default via 2001:db8:1::1
in_host client ip route add 203.0.113.0/24 via 198.51.100.2
serve
fetches "the file" 203.0.113.11
fetches refused 198.51.100.100
for vip in 198.51.100.100=203.0.113.11:8080 "[2001:db8::100]=[2001:db8:1::11]:8080"; do
  rip=${vip#*=} vip=${vip%=*}
  address=${vip#[} address=${address%]}
  command_line -A -t "$vip:8080" -s rr
  fetches refused "$address"
  command_line -a -m -t "$vip:8080" -r "$rip"
  fetches "the file" "$address"
  fetches "the file" "$address"
  command_line -A -t "$vip:80" -s rr
  command_line -a -m -t "$vip:80" -r "$rip"
  fetches "the file" "$address" 80
  command_line -L -n
  command_line -d -t "$vip:8080" -r "$rip"
  fetches refused "$address"
  fetches "the file" "$address" 80
  command_line -a -m -t "$vip:8080" -r "$rip"
  fetches "the file" "$address"
  command_line -L -n
done
fetches "the file" 203.0.113.11
command_line -C
fetches refused 198.51.100.100
fetches refused 2001:db8::100 80
exit $wrong
