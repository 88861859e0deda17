#!/bin/sh
# shellcheck shell=dash disable=SC2086
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# natvi as a gateway between two hosts, with real programs, in a machine that has nothing but busybox, ip, tc, nft and
# ethtool. Run by init; prints a line a check: "ok WHAT", "FAIL WHAT: WHY", "SKIP WHAT: WHY".
#
#   inside 198.18.0.10 -- lan0 or lan0.7 [gateway 198.18.0.1, 203.0.113.1] wan0 -- 203.0.113.9 outside
#
# The outside has no route to the inside, so only what is translated is answered.

INSIDE=198.18.0.10
GATEWAY=198.18.0.1
EXTERNAL=203.0.113.1
SERVER=203.0.113.9
REMOTE=198.51.100.1
PORT=5000
WORK=/tmp/smoke
LOG=$WORK/natvi.log

# $1: namespace; the rest: a command
at()
{
	local ns=$1

	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

# $1: seconds; the rest is tried until it is so.
soon()
{
	local left=$(($1 * 10))

	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		usleep 100000
	done
}

# $1: what must hold; the rest: a command that says whether it does. What it printed is told when it does not.
check()
{
	local what="$round: $1"

	shift
	if "$@" >$WORK/said 2>&1; then
		echo "ok $what"
	else
		echo "FAIL $what: $(tail -n 5 $WORK/said | tr '\n' '|')"
		{ echo "--- $what"; cat $WORK/said $LOG; natvi show stats; } >/dev/console 2>&1
		return 1
	fi
}

# $1: "" or ".7"
build()
{
	local ns

	for ns in in gw out; do
		ip netns add $ns && at $ns ip link set lo up || return 1
	done
	ip link add lan0 netns gw type veth peer name eth0 netns in &&
	ip link add wan0 netns gw type veth peer name eth0 netns out || return 1
	at gw ip link set lan0 up && at gw ip link set wan0 up && at in ip link set eth0 up && at out ip link set eth0 up || return 1
	for ns in in out; do	# XDP sees frames as they are on a wire: checksums made, none larger than the MTU
		at $ns ethtool -K eth0 tx off tso off gso off gro on >/dev/null || return 1
	done
	if [ -n "$1" ]; then
		at in ip link add link eth0 name eth0$1 type vlan id ${1#.} && at in ip link set eth0$1 up &&
		at gw ip link add link lan0 name lan0$1 type vlan id ${1#.} && at gw ip link set lan0$1 up || return 1
	fi
	at in ip address add $INSIDE/24 dev eth0$1 && at in ip route add default via $GATEWAY &&
	at gw ip address add $GATEWAY/24 dev lan0$1 && at gw ip address add $EXTERNAL/24 dev wan0 &&
	at out ip address add $SERVER/24 dev eth0
}

# $1: "" or ".7"; $2: the LAN's xdp; $3: the WAN's
configure()
{
	cat >$WORK/natvi.yaml <<-END
	interfaces:
	  - {name: lan0$1, xdp: $2}
	  - {name: wan0, xdp: $3}
	rules:
	  - {from: {interface: lan0$1}, to: {interface: wan0}, action: masquerade}
	  - {from: {interface: wan0}, action: drop}
	END
}

forwards()
{
	at gw natvi run -c $WORK/natvi.yaml >$LOG 2>&1 &
	daemon=$!
	soon 60 grep -q '^natvi: ready' $LOG && return
	cat $LOG
	return 1
}

pings()
{
	at in ping -c 3 -W 10 "$@" $SERVER
}

listens()
{
	at out netstat -ltn | grep -q ":$1 "
}

# $1, $2: the namespaces of who sends and who receives; the outside listens. Neither ends before the other's data: their
# input, where it is no file, is a pipe that nobody closes.
transfer()
{
	local server

	PORT=$((PORT + 1))
	rm -f $WORK/got
	if [ "$1" = out ]; then
		at out nc -l -p $PORT <$WORK/sent >/dev/null &
		server=$!
		soon 10 listens $PORT && at in timeout 60 nc $SERVER $PORT <$WORK/open >$WORK/got
	else
		at out nc -l -p $PORT <$WORK/open >$WORK/got &
		server=$!
		soon 10 listens $PORT && at in timeout 60 nc $SERVER $PORT <$WORK/sent >/dev/null
	fi
	soon 10 ended $server || kill $server
	[ "$(sha256sum <$WORK/got)" = "$(sha256sum <$WORK/sent)" ] && return
	echo "$(wc -c <$WORK/got) of $(wc -c <$WORK/sent) bytes arrived, or others"
	return 1
}

ended()
{
	! kill -0 "$1" 2>/dev/null
}

# Both protocols, the inside's address and the translated one.
shows_sessions()
{
	at gw natvi show sessions >$WORK/sessions && cat $WORK/sessions || return 1
	grep -i icmp $WORK/sessions | grep -q $INSIDE && grep -i tcp $WORK/sessions | grep $INSIDE | grep -q $EXTERNAL
}

# $1: interface, $2: a word of `ip link`, natvi's program being there
xdp_at()
{
	at gw ip link show dev "$1"
	at gw ip link show dev "$1" | grep -q 'prog/xdp'
}

sees_policy()
{
	at gw natvi status --json | grep -q '"policy": true'
}

# $1: namespace; $2: side of the policy
tunnel()
{
	at $1 ip xfrm state add src $EXTERNAL dst $SERVER proto esp spi 0x100 mode tunnel \
		aead 'rfc4106(gcm(aes))' 0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a 128 &&
	at $1 ip xfrm policy add src $EXTERNAL dst $REMOTE dir $2 tmpl src $EXTERNAL dst $SERVER proto esp mode tunnel
}

# A policy comes under a flow: what it selects, as translated, goes by it. The outside takes nothing else for REMOTE.
encrypts()
{
	at out ip address replace $REMOTE/32 dev lo && at gw ip route replace $REMOTE via $SERVER && at in ping -c 2 -W 10 $REMOTE || return 1
	at in ping -c 200 -i 0.2 $REMOTE >/dev/null &
	pinging=$!
	tunnel gw out && soon 10 sees_policy && tunnel out in && at in ping -c 3 -W 10 $REMOTE && kill $pinging &&
	at out ip -s xfrm state && at out ip -s xfrm state | grep -A 2 'lifetime current' | grep -q '[1-9][0-9]*(packets)' &&
	at gw ip xfrm policy flush && at gw ip xfrm state flush && at out ip xfrm policy flush && at out ip xfrm state flush
}

nothing_left()
{
	at gw natvi down || return 1
	soon 30 ended $daemon || { echo "the daemon runs on"; return 1; }
	find /sys/fs/bpf/natvi -mindepth 1 | grep . && return 1
	at gw ip link show | grep -E 'nvtap|prog/xdp' && return 1
	at gw tc filter show dev wan0 ingress | grep . && return 1
	if at in ping -c 1 -W 2 $SERVER; then
		echo "still answered"
		return 1
	fi
}

destroy()
{
	local ns

	[ -z "$daemon" ] || ended $daemon || kill -9 $daemon
	rm -rf /sys/fs/bpf/natvi
	for ns in in blue gw out far; do
		ip netns del $ns 2>/dev/null
	done
	daemon=
}

# What natvi says that this kernel does not have is not tested.
lacks()
{
	sed -n 's/^natvi: this kernel has no /no /p' $LOG | while read -r line; do
		echo "SKIP $round: $line"
	done
}

# $1: name; $2: xdp of the LAN; $3: of the WAN
traffic()
{
	round=$1
	[ "$2" = off ] || check "XDP at the LAN" xdp_at lan0
	[ "$3" = off ] || check "XDP at the WAN" xdp_at wan0
	check "ping" pings
	check "ping in fragments" pings -s 4000
	check "TCP in" transfer out in
	check "TCP out" transfer in out
	check "show sessions" shows_sessions
	if modprobe esp4; then check "IPsec" encrypts; else echo "SKIP $round: IPsec: this kernel has no ESP"; fi
}

# $1: "" or ".7"; then name and xdp of LAN and WAN, twice: a start in an emulated machine takes longest, so the second round
# is a reload.
run()
{
	round=$2
	: >$LOG
	check "namespaces" build "$1" && configure "$1" "$3" "$4" && check "natvi run" forwards && {
		lacks
		traffic "$2" "$3" "$4"
		round=$5
		configure "$1" "$6" "$7"
		check "natvi reload" at gw natvi reload && traffic "$5" "$6" "$7"
		check "natvi down" nothing_left
	}
	destroy
}

# shellcheck source=tests/kernel/vrf.sh
. /vrf.sh
# shellcheck source=tests/kernel/accel.sh
. /accel.sh
# shellcheck source=tests/kernel/wire.sh
. /wire.sh

mkdir -p $WORK
mkfifo $WORK/open
exec 9<>$WORK/open
dd if=/dev/urandom of=$WORK/sent bs=64k count=32 2>/dev/null
daemon=
modprobe xfrm_user
mkdir -p /run/cgroup && mount -t cgroup2 cgroup2 /run/cgroup	# `ip vrf exec` wants it

run "" "NAT on tc" off off "NAT on XDP" native native
if modprobe 8021q; then
	run .7 "VLAN on tc, XDP at the WAN" off native "VLAN on tc" off off
else
	echo "SKIP VLAN: this kernel has no 8021q"
fi
run_accel
run_wire
if modprobe vrf && modprobe 8021q; then
	run_vrf
else
	echo "SKIP VRF: this kernel has no vrf, or no 8021q"
fi
