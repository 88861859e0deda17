/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * env.h - what the datapath needs from where it runs. A host (bpf/env_bpf.h,
 * host/env_native.h) defines these before it includes dp/dp.h; nothing else differs
 * between hosts.
 *
 * Attribute of the stages that are verified on their own (a global function in BPF):
 *   ENV_GLOBAL
 * What a hook is called with
 *   ENV_CONTEXT
 *
 * Clock and chance
 *   __u32 env_now_s(struct cpu *)			coarse monotonic seconds
 *   __u32 env_random(void)
 *
 * Tables; NULL where the index is out of range
 *   struct cpu *env_cpu(__u32 which)			of this CPU; 0: packets, 1: SYSCALL programs
 *   struct control *env_control(void)
 *   struct usage *env_usage(void)
 *   const struct settings *env_settings(__u32 half)
 *   const struct port *env_port(__u32 slot)
 *   const struct zone *env_zone(__u32 number)
 *   const struct rule *env_rule(__u32 i)
 *   const struct pool *env_pool(__u32 i)
 *   const struct pool_addr *env_pool_addr(__u32 i)
 *   struct portbits *env_portbits(__u32 i)
 *   struct bucket *env_bucket(__u32 i)
 *   struct mapping_bucket *env_mapping_bucket(__u32 i)
 *   const struct addr_info *env_addr(const struct addr_key *)
 *   bool env_expected(const struct tuple *)		has a helper of the kernel's announced it?
 *   struct fragment *env_fragment(const struct tuple *)	may go at any time; the memory stays good for the packet
 *   void env_fragment_put(const struct tuple *, const struct fragment *)	new or in place of the old
 *   void env_fragment_cut(const struct tuple *)
 *   struct fragment_source *env_fragment_source(const struct addr_key *)	made if there is none
 *   struct ids *env_ids(void)
 *   const struct wire *env_wire(__u32 number)
 *   struct wire_state *env_wire_state(__u32 number)
 *   struct wire_neighbours *env_neighbours(__u32 set)
 *   struct stations *env_stations(__u32 set)
 *   void env_loop(n, fn, arg)				fn(i, arg) for i < n until it returns 1
 *
 * The packet
 *   void env_begin(struct pkt *)			sets the hook's part of p->m
 *   void env_pointers(struct pkt *)			sets data and data_end
 *   bool env_is_mine(struct pkt *)			at a port with Ethernet: the frame is for its MAC address
 *   bool env_hits_only(const struct pkt *)		true: a miss is left to the next hook
 *   int env_rest(struct pkt *)				what dp_rest() makes of it, in a program of its own
 *   int env_punt / env_drop / env_kernel(struct pkt *)	actions
 *   int env_redirect(struct pkt *, __u32 ifindex)	send the frame as it is out of there; natvi's egress lets it pass
 *   int env_enter(struct pkt *, __u32 ifindex)		have it come in there
 *   int env_resolve(struct pkt *, __u32 ifindex)		send it out of there by the kernel's routes, which
 *							finds the neighbour; moves the packet
 *   int env_cross(struct pkt *, __u32 handle)		over nvi0, by the flow with this handle (abi/nvi.h); moves the
 *							packet; negative: cannot
 *   __u32 env_origin(struct pkt *)			at egress: ifindex that it came in by; 0: the box itself sends it
 *   void env_to_host(struct pkt *)			the kernel takes it in, whatever its destination MAC
 *   int env_park(struct pkt *, enum park_kind)		to the daemon's tap; moves the packet; negative: cannot
 *   void env_l4_csum(p, off, addr_delta, port_delta, udp)	the last change to a packet: moves it
 *   void env_mark_slow(p, mark)				mark for natvi's nftables table, and for natvi's other hooks
 *   void env_unmark(p, mark)				the mark has done its work
 *   bool env_is_passing(ENV_CONTEXT *)			at egress: it has come in somewhere and bears no mark of anybody's
 *   bool env_is_forwarded(ENV_CONTEXT *)		at egress: it has come in somewhere, and the kernel sends it on, not natvi
 *   int env_load(p, off, to, len)			copy bytes out of the packet; 0 or negative
 *   int env_store(p, off, from, len)			moves the packet; no checksum is changed
 *   __u32 env_sum_quote(const struct cpu *, __u32 len)	one's complement sum of the first bytes of cpu->quote, below 2^31;
 *							len is a multiple of 4
 *   int env_sum(p, off, len)				folded one's complement sum of these bytes; negative: not there
 *   int env_icmp_room(p, ip_len, room)		make room: [Ethernet and so many bytes][ip_len bytes
 *							of IP], what is in front undefined; moves the packet; 1: the L4 checksum is
 *							still to be filled in by the sending device
 *
 *   __be16 env_tag_proto(const struct pkt *)		of the VLAN tag that is out of band, where p->m->vlan_present says so
 *   bool env_untag(struct pkt *, __u32 n)		take the outer n VLAN tags off; moves the packet
 *   bool env_trim(struct pkt *, __u32 len)		cut off what is behind the first len bytes; moves the packet
 *   bool env_frame(struct pkt *, const struct link_head *)	put this before the IP packet, in place of an Ethernet header without
 *							tags or (p->m->l3 is 0) of nothing; moves the packet
 *   int env_copy(struct pkt *, __u32 ifindex, bool in)	send a copy out of there, or have it come in there; moves the packet;
 *							negative: that device does not take it
 *
 * Decisions of the kernel
 *   void env_route(p, __u32 in, const struct tuple *, struct route *, bool mark)
 *							FIB look-up, input interface in, the packet's
 *							TOS, and its mark where that is asked for
 *   bool env_is_there(p, __u32 ifindex)			is there such a device?
 *   bool env_socket(p, const struct tuple *)		a socket of the box would take this tuple
 *   Only for dp/accel.h:
 *   bool env_ct(p, const struct tuple *, struct ct *)	the connection of conntrack's that has this tuple, one way or the other
 *   void env_ct_refresh(p, const struct tuple *, __u32 s)	it lives for so long from now on
 *   bool env_was_encrypted(p)				IPsec has had to do with it on its way in
 *   bool env_is_classed(p)				it bears a mark, or the class that a shaper is to put it into
 *   __u32 env_route_mtu(p)				what the route that the kernel has given p is limited to; 0: to nothing
 *   long env_event(const struct event *)		may be lost; negative: it is
 *   long env_request(const struct event *)		the daemon is asked for something; likewise
 */
#ifndef NATVI_DP_ENV_H
#define NATVI_DP_ENV_H

#include "pkt.h"

#ifndef ENV_GLOBAL
#error "include a host's env_*.h before the datapath"
#endif

/* Between stages: what a stage left in p->m is read anew by the next, as unknown values to the verifier. */
DP void settle(void)
{
	asm volatile("" ::: "memory");
}

/* Scratch space and the daemon's word; without them there is no natvi. */
DP bool pkt_begin(struct pkt *p)
{
	p->cpu = env_cpu(0);
	p->control = env_control();
	if (!p->cpu || !p->control)
		return false;
	p->m = &p->cpu->meta;
	return true;
}

/* All of a new packet's struct meta that parse() does not set; the hook fills in the rest. */
DP bool dp_begin(struct pkt *p)
{
	if (!pkt_begin(p))
		return false;
	p->m->now_s = env_now_s(p->cpu);
	p->m->action = env_drop(p);
	p->m->flags = 0;
	p->m->tcp_flags = 0;
	p->m->icmp_type = 0;
	p->m->mss = 0;
	p->m->peer_mtu = 0;
	p->m->error_type = 0;
	p->m->key.sport = 0;
	p->m->key.dport = 0;
	p->m->key.pad = 0;
	env_begin(p);
	env_pointers(p);
	p->m->len = p->m->wire_len;
	return true;
}

/* Has the daemon been heard of lately? */
DP bool daemon_lives(const struct pkt *p)
{
	return (__s32)(p->m->now_s - p->control->heartbeat_s) <= NATVI_HEARTBEAT_S;
}

/* Ends of a packet. Each one counts, so a verdict and its counter cannot part. */

DP void pkt_count(struct pkt *p, enum verdict v)
{
	struct counters *c = &p->cpu->counters;

	c->packets[v]++;
	c->bytes[v] += p->m->len;
}

DP enum stage drop(struct pkt *p, enum verdict v)
{
	pkt_count(p, v);
	p->m->action = env_drop(p);
	return DONE;
}

/* Left to the next hook of natvi's own (XDP to tc), unchanged and uncounted: it counts there. */
DP enum stage punt(struct pkt *p)
{
	p->m->action = env_punt(p);
	return DONE;
}

/* Left to the kernel's stack, as the packet is now. */
DP enum stage kernel(struct pkt *p, enum verdict v)
{
	if (env_hits_only(p))
		return punt(p);
	pkt_count(p, v);
	p->m->action = env_kernel(p);
	p->m->flags |= PKT_LEFT;
	p->m->left = v;
	return DONE;
}

DP enum stage sent(struct pkt *p, enum verdict v, int action)
{
	pkt_count(p, v);
	p->m->action = action;
	return DONE;
}

#endif
