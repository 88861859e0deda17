/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * announce.c - see announce.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/announce.h"
#include "daemon/plan_wires.h"
#include "daemon/state.h"
#include "lib/addr.h"
#include "lib/log.h"

#define TICK_S		0.020
#define TICK_FRAMES	20	/* ANNOUNCE_RATE * TICK_S */
#define INTERVAL_S	1.0	/* between the rounds of one port */

/* A port, and what is still to be said there. */
struct speaker {
	uint32_t ifindex;	/* 0: the interface cannot speak now */
	uint32_t ups;		/* how often its carrier had come when it was looked at last */
	uint8_t mac[ETH_ALEN];
	bool moved;		/* say all again */
	struct spans has;	/* its addresses */
	struct spans todo;
	unsigned int rounds;	/* left, the one under way included */
	size_t at;		/* next one to be said: in todo ... */
	uint64_t offset;	/* ... and within it */
	ev_tstamp due;		/* not before */
};

struct announce {
	struct daemon *d;
	int sock;
	struct speaker *speakers;	/* by interface of the configuration */
	size_t n_speakers;
	size_t turn;			/* who is the first in the next tick */
	ev_timer timer;
};

/* Which addresses */

static int append(struct spans *spans, uint32_t lo, uint32_t hi)
{
	struct span *more;

	if (!(spans->n & (spans->n - 1))) {
		more = realloc(spans->list, (spans->n ? 2 * spans->n : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		spans->list = more;
	}
	spans->list[spans->n++] = (struct span){ lo, hi };
	return 0;
}

static void spans_free(struct spans *spans)
{
	free(spans->list);
	memset(spans, 0, sizeof(*spans));
}

static int compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Sorted, and none twice. */
static void settle(struct spans *spans)
{
	size_t i, n = 0;

	if (spans->n)
		qsort(spans->list, spans->n, sizeof(*spans->list), compare);
	for (i = 0; i < spans->n; i++) {
		if (!n || spans->list[i].lo > spans->list[n - 1].hi)
			spans->list[n++] = spans->list[i];
		else if (spans->list[i].hi > spans->list[n - 1].hi)
			spans->list[n - 1].hi = spans->list[i].hi;
	}
	spans->n = n;
}

/* Is an interface before this one, in its zone, connected to the same subnet? */
static bool subnet_is_taken(const struct config *config, const struct links *links, size_t interface, const struct ifaddr4 *addr)
{
	const struct ifaddr4 *other;
	const struct link *link;
	size_t i, n;

	for (i = 0; i < interface; i++) {
		link = strcmp(config->interfaces[i].zone, config->interfaces[interface].zone) ? NULL :
		       links_by_name(links, config->interfaces[i].name);
		for (n = 0; link && n < links->n_addrs; n++) {
			other = &links->addrs[n];
			if (other->ifindex == link->ifindex && other->len == addr->len &&
			    !((other->addr ^ addr->addr) & addr_mask4(addr->len)))
				return true;
		}
	}
	return false;
}

static int cross(const struct outsides *outsides, uint64_t zone, uint32_t lo, uint32_t hi, struct spans *out)
{
	const struct outside *o;
	size_t i;
	int err = 0;

	for (i = 0; i < outsides->n && !err; i++) {
		o = &outsides->list[i];
		if (!(o->zones & zone) || o->hi < lo || o->lo > hi)
			continue;
		err = append(out, o->lo > lo ? o->lo : lo, o->hi < hi ? o->hi : hi);
	}
	return err;
}

int announce_spans(const struct config *config, const struct links *links, const struct outsides *outsides, size_t interface,
		   struct spans *out)
{
	const struct link *link = links_by_name(links, config->interfaces[interface].name);
	uint32_t lo, hi;
	size_t i;
	int err = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; link && i < links->n_addrs && !err; i++)
		if (links->addrs[i].ifindex == link->ifindex && outside_subnet(&links->addrs[i], &lo, &hi) &&
		    !subnet_is_taken(config, links, interface, &links->addrs[i]))
			err = cross(outsides, config_zone(config, config->interfaces[interface].zone), lo, hi, out);
	settle(out);
	if (err)
		spans_free(out);
	return err;
}

int announce_new(const struct spans *now, const struct spans *before, struct spans *out)
{
	uint64_t lo;
	size_t i, b;
	int err = 0;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < now->n && !err; i++) {
		lo = now->list[i].lo;
		for (b = 0; b < before->n && !err; b++) {
			if (before->list[b].hi < lo || before->list[b].lo > now->list[i].hi)
				continue;
			if (before->list[b].lo > lo)
				err = append(out, (uint32_t)lo, before->list[b].lo - 1);
			lo = (uint64_t)before->list[b].hi + 1;
		}
		if (!err && lo <= now->list[i].hi)
			err = append(out, (uint32_t)lo, now->list[i].hi);
	}
	if (err)
		spans_free(out);
	return err;
}

/* Saying it */

struct frame {
	struct ethhdr eth;
	struct arphdr arp;
	uint8_t sha[ETH_ALEN], spa[4], tha[ETH_ALEN], tpa[4];
} __attribute__((packed));

/* 0; -EAGAIN: later; another negative errno: this port cannot. */
static int say(const struct announce *a, const struct speaker *s, uint32_t addr)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = (int)s->ifindex,
				  .sll_halen = ETH_ALEN };
	struct frame f = { .eth = { .h_proto = htons(ETH_P_ARP) },
			   .arp = { htons(ARPHRD_ETHER), htons(ETH_P_IP), ETH_ALEN, 4, htons(ARPOP_REQUEST) } };
	uint32_t wire = htonl(addr);

	memset(f.eth.h_dest, 0xff, ETH_ALEN);
	memset(to.sll_addr, 0xff, ETH_ALEN);
	memcpy(f.eth.h_source, s->mac, ETH_ALEN);
	memcpy(f.sha, s->mac, ETH_ALEN);
	memcpy(f.spa, &wire, sizeof(f.spa));
	memcpy(f.tpa, &wire, sizeof(f.tpa));
	if (sendto(a->sock, &f, sizeof(f), MSG_DONTWAIT, (void *)&to, sizeof(to)) >= 0)
		return 0;
	return errno == ENOBUFS || errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

static void be_silent(struct speaker *s)
{
	spans_free(&s->todo);
	s->rounds = 0;
	s->at = 0;
	s->offset = 0;
}

/* One address more; at the end of a round the next one waits. */
static void step(struct speaker *s)
{
	const struct span *span = &s->todo.list[s->at];

	if (++s->offset <= span->hi - span->lo)
		return;
	s->offset = 0;
	if (++s->at < s->todo.n)
		return;
	s->at = 0;
	s->due = ev_time() + INTERVAL_S;
	if (!--s->rounds)
		be_silent(s);
}

/* Up to budget frames; how many it were. */
static int speak(const struct announce *a, struct speaker *s, int budget, ev_tstamp now)
{
	int said = 0, err;

	while (said < budget && s->rounds && s->due <= now) {
		err = say(a, s, s->todo.list[s->at].lo + (uint32_t)s->offset);
		if (err == -EAGAIN)
			break;
		if (err) {
			log_debug("interface %u takes no announcements: %s", s->ifindex, strerror(-err));
			be_silent(s);
			break;
		}
		said++;
		step(s);
	}
	return said;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct announce *a = timer->data;
	int budget = TICK_FRAMES;
	bool more = false;
	size_t i;

	for (i = 0; i < a->n_speakers; i++) {
		struct speaker *s = &a->speakers[(a->turn + i) % a->n_speakers];

		budget -= speak(a, s, budget, ev_time());
		more |= s->rounds;
	}
	a->turn++;
	if (!more)
		ev_timer_stop(loop, timer);
}

/* Following */

static bool can_speak(const struct link *link)
{
	return link && link->type == ARPHRD_ETHER && (link->flags & IFF_UP) && !(link->flags & IFF_NOARP) && link->carrier;
}

static struct speaker *find(const struct announce *a, uint32_t ifindex)
{
	size_t i;

	for (i = 0; ifindex && i < a->n_speakers; i++)
		if (a->speakers[i].ifindex == ifindex)
			return &a->speakers[i];
	return NULL;
}

static bool same(const struct spans *a, const struct spans *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->list, b->list, a->n * sizeof(*a->list)));
}

/* s: as it was, and becomes what it is with the addresses now, which are taken over. */
static void follow(struct speaker *s, const struct link *link, struct spans now)
{
	static const struct spans nothing;
	bool anew = s->moved || s->ups != link->carrier_ups || memcmp(s->mac, link->mac, ETH_ALEN);

	if (!anew && same(&s->has, &now)) {
		spans_free(&now);
		return;
	}
	/* In the middle of saying something all is said, else only what is new. */
	anew |= s->rounds > 0;
	be_silent(s);
	if (announce_new(&now, anew ? &nothing : &s->has, &s->todo)) {
		spans_free(&now);
		return;
	}
	spans_free(&s->has);
	s->has = now;
	s->ifindex = link->ifindex;
	s->ups = link->carrier_ups;
	s->moved = false;
	memcpy(s->mac, link->mac, ETH_ALEN);
	s->rounds = s->todo.n ? ANNOUNCE_NUM : 0;
	s->due = 0;
}

static void speaker_free(struct speaker *s)
{
	spans_free(&s->has);
	spans_free(&s->todo);
}

/* The former state of whoever spoke there goes into s. */
static void take_over(struct announce *a, uint32_t ifindex, struct speaker *s)
{
	struct speaker *was = find(a, ifindex);

	if (!was)
		return;
	*s = *was;
	memset(was, 0, sizeof(*was));
}

/*
 * The box's address on a wire, by nvi0 and so out of both ports: a box that is new there, or whose nvi0 is, is found at once. Said
 * again when a port's carrier comes.
 */
static void add_box(struct announce *a, struct speaker *s)
{
	const struct daemon *d = a->d;
	const struct cfg_wire *wire = config_host_wire(d->config);
	const struct link *nvi = links_by_index(&d->links, d->nvi.ifindex), *port;
	struct spans now = { 0 };
	struct link link;
	size_t i;

	if (!wire || !can_speak(nvi) || append(&now, wire->host, wire->host))
		return;
	link = *nvi;
	link.carrier_ups = 0;
	for (i = 0; i < 2; i++) {
		port = links_by_name(&d->links, wire->ports[i]);
		link.carrier_ups += port ? port->carrier_ups : 0;
	}
	take_over(a, nvi->ifindex, s);
	follow(s, &link, now);
}

static struct speaker *make_speakers(struct announce *a, const struct outsides *outsides)
{
	const struct daemon *d = a->d;
	struct speaker *list = calloc(d->config->n_interfaces + 1, sizeof(*list));
	const struct link *link;
	struct spans now;
	size_t i;

	for (i = 0; list && i < d->config->n_interfaces; i++) {
		link = links_by_name(&d->links, d->config->interfaces[i].name);
		if (!can_speak(link) || !d->served[i].up || announce_spans(d->config, &d->links, outsides, i, &now))
			continue;
		take_over(a, link->ifindex, &list[i]);
		follow(&list[i], link, now);
	}
	if (list)
		add_box(a, &list[i]);
	return list;
}

void announce_follow(struct daemon *d)
{
	struct announce *a = d->announce;
	struct outsides outsides;
	struct speaker *list;
	size_t i;

	if (!a || a->sock < 0 || outside_list(d->config, &d->links, &outsides))
		return;
	list = make_speakers(a, &outsides);
	outside_free(&outsides);
	if (!list)
		return;
	for (i = 0; i < a->n_speakers; i++)
		speaker_free(&a->speakers[i]);
	free(a->speakers);
	a->speakers = list;
	a->n_speakers = d->config->n_interfaces + 1;	/* the last one: the box on a wire */
	if (!ev_is_active(&a->timer))
		ev_timer_again(d->loop, &a->timer);
}

static int link_event(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == IFLA_EVENT)
		*(uint32_t *)arg = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

void announce_event(struct daemon *d, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	uint32_t event = IFLA_EVENT_NONE;
	struct speaker *s = d->announce ? find(d->announce, (uint32_t)info->ifi_index) : NULL;

	if (!s)
		return;
	mnl_attr_parse(msg, sizeof(*info), link_event, &event);
	s->moved |= event == IFLA_EVENT_NOTIFY_PEERS || event == IFLA_EVENT_BONDING_FAILOVER;
}

/* Life-cycle */

int announce_open(struct daemon *d)
{
	struct announce *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	d->announce = a;
	a->d = d;
	ev_timer_init(&a->timer, on_tick, TICK_S, TICK_S);
	a->timer.data = a;
	/* Protocol 0: it takes nothing in. */
	a->sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (a->sock < 0)
		log_warn("outside addresses are not announced by ARP, only answered for: no packet socket: %s (CAP_NET_RAW)",
			 strerror(errno));
	announce_follow(d);
	return 0;
}

void announce_close(struct daemon *d)
{
	struct announce *a = d->announce;
	size_t i;

	if (!a)
		return;
	ev_timer_stop(d->loop, &a->timer);
	for (i = 0; i < a->n_speakers; i++)
		speaker_free(&a->speakers[i]);
	free(a->speakers);
	if (a->sock >= 0)
		close(a->sock);
	free(a);
	d->announce = NULL;
}
