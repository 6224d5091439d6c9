#!/usr/bin/env bash
# A file fetched through a director's tunnel, step by step, as root: the steps that the Linux kernel's own end-to-end
# test of IPVS (tools/testing/selftests/net/netfilter/ipvs.sh) takes with -i, over IPv4 as there. See steps.bash.
#
#     client ---+--- bridge ---+--- director --- server    RIP, VIP on lo, takes packets out of IPIP;
#                              +------------------ '       sends a file to whoever connects
#
# The server takes packets out by its device tunl0, or by what TAKE_OUT says.
source "$(dirname "$0")/steps.bash"

hosts_and_bridge
at_bridge client eth0 50
at_bridge director eth0 2
behind_director
at_bridge server eth1 11
director_answers
in_host director sysctl -qw net.ipv4.ip_forward=0
server_is_silent
if [[ -n ${TAKE_OUT:-} ]]; then in_host server $TAKE_OUT; else
  in_host server ip link set tunl0 up
  in_host server sysctl -qw net.ipv4.conf.tunl0.rp_filter=0
fi
serve
vip=198.51.100.100:8080 rip=203.0.113.11:8080
fetches "the file" 198.51.100.11
fetches refused 198.51.100.100
command_line -A -t "$vip" -s rr
fetches refused 198.51.100.100
command_line -a -i -t "$vip" -r "$rip"
fetches "the file" 198.51.100.100
fetches "the file" 198.51.100.100
command_line -L -n
command_line -d -t "$vip" -r "$rip"
fetches refused 198.51.100.100
command_line -a -i -t "$vip" -r "$rip"
fetches "the file" 198.51.100.100
command_line -L -n
command_line -C
fetches refused 198.51.100.100
exit $wrong
