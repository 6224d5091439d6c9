#!/usr/bin/env bash
# A file fetched through a director, step by step, as root: the topology and the direct-routing steps
# of the Linux kernel's own end-to-end test of IPVS (tools/testing/selftests/net/netfilter/ipvs.sh),
# over both IP families.
#
#   direct_routing.sh IPVSADM...      the command that manages the director's table: ipvsadm, or `directrix ipvsadm`
#
#     client ---+--- bridge ---+--- director   DIP, VIP, a table
#                              +--- server     RIP, VIP on lo, silent in ARP; sends a file to whoever connects
#
# Prints what was asked and what came of it; exits 0 if every fetch went as it should.
hosts=(client director server bridge)
. "$(dirname "$(readlink -f "$0")")/common.sh"

build() {
  local host number
  for host in "${hosts[@]}"; do ip netns add "$(namespace "$host")"; done
  in_host bridge ip link add bridge up type bridge forward_delay 0
  for host in client:50 director:2 server:11; do
    number=${host#*:} host=${host%:*}
    in_host "$host" ip link set lo up
    in_host "$host" ip link add eth0 type veth peer name "$host" netns "$(namespace bridge)"
    in_host bridge ip link set "$host" master bridge up
    in_host "$host" ip link set eth0 up
    in_host "$host" ip address add "198.51.100.$number/24" dev eth0
    in_host "$host" ip address add "2001:db8::$number/64" dev eth0 nodad
  done
  # The VIP: the director answers for it, the real server only takes what is for it.
  in_host director ip address add 198.51.100.100/24 dev eth0
  in_host director ip address add 2001:db8::100/64 dev eth0 nodad preferred_lft 0
  in_host director sysctl -qw net.ipv4.ip_forward=1
  in_host server sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
  in_host server sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0
  in_host server ip address add 198.51.100.100/32 dev lo
  in_host server ip address add 2001:db8::100/128 dev lo nodad
}

build
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
