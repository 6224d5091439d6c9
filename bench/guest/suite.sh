# What is measured, in the guest.
#
# root namespace: net0 02:..:01 <== veth ==> lb0 02:..:02, in namespace "lb": the director
#
# Frames are made on net0 (generator.bpf.c) and reach lb0 as a driver would hand them over. What
# the director sends leaves by lb0 too and is counted and dropped at net0. "base" names the result
# that is subtracted: the same path with XDP_DROP or XDP_PASS on lb0.
VIP=10.0.0.100 VIP6=fd00::100 DIP=10.0.0.2 OTHER=02:00:00:00:00:99
PINS=/sys/fs/bpf
sections=$(echo "${bench_sections:-reference,directrix,ipvs,schedulers}" | tr , ' ')

# The first failure ends it.
fail() {
  echo "FAILED $*"
  exit 1
}
lb() { nsenter --net=/run/netns/lb "$@"; }
directrix() { lb python3 -S -m directrix "$@" || fail "directrix $*"; }
wanted() { case " $sections " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
# cost NAME BASE [options of measure inject]
cost() { _name=$1 _base=$2; shift 2; measure inject -N "$_name" -B "$_base" "$@" || fail "$_name"; }

# A director's namespace as new, its neighbours known.
fresh() {
  [ ! -e /run/netns/lb ] || ip netns del lb
  ip link del net0 2>/dev/null
  ip netns add lb
  ip link add net0 numrxqueues 1 numtxqueues 1 address 02:00:00:00:00:01 type veth \
    peer name lb0 numrxqueues 1 numtxqueues 1 address 02:00:00:00:00:02 netns lb
  echo 1 >/proc/sys/net/ipv6/conf/net0/disable_ipv6
  lb sh -c 'cd /proc/sys/net; for d in all default lb0; do echo 0 >ipv4/conf/$d/send_redirects; echo 0 >ipv4/conf/$d/rp_filter
    echo 0 >ipv6/conf/$d/accept_ra; echo 0 >ipv6/conf/$d/accept_dad; echo 0 >ipv6/conf/$d/router_solicitations; done
    echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding'
  ip link set net0 up
  lb ip link set lo up
  lb ip link set lb0 up
  {
    echo "addr add $DIP/16 dev lb0"
    echo "addr add $VIP/32 dev lb0"
    echo "addr add fd00::2/64 dev lb0 nodad"
    echo "addr add $VIP6/128 dev lb0 nodad"
    echo "neigh add 10.0.0.1 lladdr 02:00:00:00:00:21 dev lb0 nud permanent"
    real_servers 1000 | while read -r number address mac; do
      echo "neigh add $address lladdr $mac dev lb0 nud permanent"
    done
    echo "neigh add fd00::11 lladdr 02:00:00:00:00:11 dev lb0 nud permanent"
    echo "neigh add fd00::12 lladdr 02:00:00:00:00:12 dev lb0 nud permanent"
    echo "neigh add fd00::1 lladdr 02:00:00:00:00:21 dev lb0 nud permanent"
  } >/tmp/ip.batch
  lb ip -batch /tmp/ip.batch || fail addresses
  ip link set dev net0 xdpdrv pinned $PINS/reference/sink
}
# The first N real servers: number, address, MAC.
real_servers() {
  awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "%d 10.0.%d.%d 02:00:00:00:%02x:%02x\n", i, 1 + int(i / 200), 1 + i % 200, 1 + int(i / 200), 1 + i % 200 }'
}
# Rules for ipvsadm -R: service, scheduler, number of real servers with weights 1 and 2 in turn.
rules() {
  echo "-A -t $VIP:80 -s $1"
  real_servers "$2" | while read -r number address mac; do
    echo "-a -t $VIP:80 -r $address:80 -g -w $((1 + number % 2))"
  done
}
xdp() { lb ip link set dev lb0 xdpdrv pinned $PINS/reference/"$1"; }

new="-f S -m 0xffff -w 128 -n 3840"

# The same packets to either director; $1: its name.
established_and_new() {
  cost "$1_syn" drop $new
  cost "$1_established_1" drop
  cost "$1_established_1k" drop -m 1023
  cost "$1_syn_16k" drop -f S -m 0xffff -C 3968 -w 12544 -n 2048
  cost "$1_established_16k" drop -m 0x3fff -n 32768
  cost "$1_udp_new" drop -u -m 0xffff -w 128 -n 3840
  cost "$1_udp_established" drop -u
  cost "$1_syn_ipv6" drop6 $new -s fd00::1 -d $VIP6
  cost "$1_established_ipv6" drop6 -m 1023 -s fd00::1 -d $VIP6
}
services() {
  rules rr 2
  echo "-A -u $VIP:80 -s rr"
  real_servers 2 | while read -r number address mac; do echo "-a -u $VIP:80 -r $address:80 -g -w 1"; done
  echo "-A -t [$VIP6]:80 -s rr"
  echo "-a -t [$VIP6]:80 -r [fd00::11]:80 -g -w 1"
  echo "-a -t [$VIP6]:80 -r [fd00::12]:80 -g -w 1"
}
# New connections by scheduler and number of real servers. $1: its name, $2 $3 and so on: how to load the rules.
schedulers() {
  _who=$1 _client=0
  for _scheduler in rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh twos; do
    [ "$_who $_scheduler" != "ipvs twos" ] || continue  # not in this kernel
    for _count in 10 100 1000; do
      _client=$((_client + 1))
      rules $_scheduler $_count >/tmp/rules
      load_$_who
      # every real server has had its first packet when counting starts
      cost "${_who}_syn_${_scheduler}_$_count" drop -f S -m 0xffff -s 10.1.0.$_client -w $((128 + 2 * _count)) -n 1280
    done
  done
}
load_directrix() {
  directrix ipvsadm -C
  directrix ipvsadm -R </tmp/rules
}
load_ipvs() {
  fresh
  lb ethtool -K lb0 gro on
  lb ipvsadm -R </tmp/rules
}

measure clock
bpftool prog loadall /bench/reference.bpf.o $PINS/reference type xdp pinmaps $PINS/maps
fresh
xdp drop
cost drop -
cost drop6 - -s fd00::1 -d $VIP6
if wanted reference; then
  lb ip link set dev lb0 xdp off
  xdp send_back; cost xdp_tx drop
  lb ip link set dev lb0 xdp off
  xdp swap; cost xdp_swap drop
fi
if wanted directrix; then
  lb ip link set dev lb0 xdp off
  xdp pass
  # Frames for another MAC: the host drops them at once, so that what the hook costs is not lost in an answer's noise.
  cost pass_port - -P 81 -D $OTHER
  cost pass_address - -d $DIP -D $OTHER
  cost pass_other_host - -D $OTHER
  fresh
  measure spin -N spin_idle
  directrix up --interface lb0 --hook xdp
  services >/tmp/rules
  directrix ipvsadm -R </tmp/rules
  cost warm - -f S -m 0xffff -C 60000 -w 640 -n 640
  established_and_new directrix
  cost directrix_not_ours_port pass_port -P 81 -D $OTHER
  cost directrix_not_ours_address pass_address -d $DIP -D $OTHER
  cost directrix_other_host pass_other_host -D $OTHER
  : >/tmp/traced
  directrix trace tcp --rate 1 --for 30 >/tmp/traced 2>&1 &
  until grep -q 'tracing;' /tmp/traced; do
    sleep 1
    ! grep -E 'FAILED|directrix' /tmp/traced || fail "directrix trace"
  done
  cost directrix_established_traced drop
  wait
  tail -n 2 /tmp/traced
  cost directrix_established_after_trace drop
  directrix sysctl -q flood_defence=3
  sleep 1  # the table's clock has heard of it
  cost directrix_syn_flooded drop -f S -m 0xffff -C 30000 -w 128 -n 3840
  cost directrix_established_flooded drop -m 1023
  directrix sysctl -q flood_defence=1
  sleep 5  # until clients of the flood's last seconds are forgotten
  directrix budget set -u $VIP:80 --rate 1000000
  cost directrix_syn_other_budget drop -f S -m 0xffff -C 45000 -w 128 -n 3840
  directrix budget set -t $VIP:80 --rate 1000000 --source-rate 10000
  cost directrix_syn_budgets drop -f S -m 0xffff -C 50000 -w 128 -n 3840
  directrix budget flush
  for kind in ipip "gre --tun-csum" "gue --tun-port 6080 --tun-csum"; do
    { echo "-A -t $VIP:80 -s rr"; echo "-a -t $VIP:80 -r 10.0.1.1:80 -i -w 1 --tun-type $kind"; } >/tmp/rules
    directrix ipvsadm -C
    directrix ipvsadm -R </tmp/rules
    cost "directrix_${kind%% *}_syn" drop $new
    cost "directrix_${kind%% *}_established" drop
  done
  # In a new table, where keys lie in the first of their two places: a look at the second costs some 50.
  directrix down
  directrix up --interface lb0 --hook xdp
  # A real server's port that is the only one packets come from here: so its replies can be made, too.
  { echo "-A -t $VIP:80 -s rr"; echo "-a -t $VIP:80 -r 10.0.1.1:1024 -m -w 1"; } >/tmp/rules
  directrix ipvsadm -R </tmp/rules
  cost directrix_nat_syn drop $new
  cost directrix_nat_established drop
  cost directrix_nat_reply drop -s 10.0.1.1 -d 10.0.0.1 -P 1024
  cost directrix_nat_not_ours pass_address -d $DIP -D $OTHER
  {
    echo "-A -t [$VIP6]:80 -s rr"
    echo "-a -t [$VIP6]:80 -r [fd00::11]:1024 -m -w 1"
  } >/tmp/rules
  directrix ipvsadm -R </tmp/rules
  cost directrix_nat_ipv6_syn drop6 $new -s fd00::1 -d $VIP6
  cost directrix_nat_ipv6_established drop6 -s fd00::1 -d $VIP6
  cost directrix_nat_ipv6_reply drop6 -s fd00::11 -d fd00::1 -P 1024
  measure spin -N directrix_clock -B spin_idle
fi
if wanted schedulers; then
  if ! wanted directrix; then
    fresh
    directrix up --interface lb0 --hook xdp
  fi
  schedulers directrix
fi
[ ! -e /run/directrix ] || directrix down
if wanted ipvs; then
  services >/tmp/rules
  load_ipvs
  established_and_new ipvs
fi
if wanted schedulers; then schedulers ipvs; fi
