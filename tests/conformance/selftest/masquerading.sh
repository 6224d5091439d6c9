#!/usr/bin/env bash
# A file fetched through a director that masquerades, step by step, as root: the topology and the steps for NAT of the
# Linux kernel's own end-to-end test of IPVS (tools/testing/selftests/net/netfilter/ipvs.sh), over both IP families.
#
#   masquerading.sh IPVSADM...      the command that manages the director's table: ipvsadm, or `directrix ipvsadm`
#
#     client ---- director ---- server
#                 VIP on lo, forwards   RIP, sends a file to whoever connects; its default route is the director
#
# Prints what was asked and what came of it; exits 0 if every fetch went as it should.
hosts=(client director server)
. "$(dirname "$(readlink -f "$0")")/common.sh"

# wire HOST DEVICE NETWORK: to the director's device of that name; the host is number 2 there, the director 1.
wire() {
  in_host director ip link add "$2" up type veth peer name eth0 netns "$(namespace "$1")"
  in_host "$1" ip link set eth0 up
  in_host director ip address add "198.51.100.$(($3 + 1))/25" dev "$2"
  in_host director ip address add "2001:db8:$3::1/64" dev "$2" nodad
  in_host "$1" ip address add "198.51.100.$(($3 + 2))/25" dev eth0
  in_host "$1" ip address add "2001:db8:$3::2/64" dev eth0 nodad
}

build() {
  local host
  for host in "${hosts[@]}"; do
    ip netns add "$(namespace "$host")"
    in_host "$host" ip link set lo up
  done
  wire client front 0
  wire server back 128
  in_host director sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  in_host director ip address add 203.0.113.100/32 dev lo
  in_host director ip address add 2001:db8::100/128 dev lo nodad
  in_host client ip route add 203.0.113.100 via 198.51.100.1
  in_host client ip route add 2001:db8::100 via 2001:db8:0::1
  in_host server ip route add default via 198.51.100.129
  in_host server ip -6 route add default via 2001:db8:128::1
}

build
serve
fetches refused 203.0.113.100
for vip in 203.0.113.100:8080=198.51.100.130 "[2001:db8::100]:8080=[2001:db8:128::2]"; do
  rip=${vip#*=} vip=${vip%=*}
  address=${vip%:*} address=${address#[} address=${address%]}
  command_line -A -t "$vip" -s rr
  fetches refused "$address"
  command_line -a -m -t "$vip" -r "$rip:8080"
  fetches "the file" "$address"
  fetches "the file" "$address"
  command_line -L -n
  command_line -d -t "$vip" -r "$rip:8080"
  fetches refused "$address"
  command_line -a -m -t "$vip" -r "$rip:8080"
  fetches "the file" "$address"
  command_line -L -n
done
command_line -C
fetches refused 203.0.113.100
fetches refused 2001:db8::100
exit $wrong
