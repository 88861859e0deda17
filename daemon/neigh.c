/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * neigh.c - see neigh.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/neigh.h"
#include "lib/addr.h"
#include "lib/log.h"

#define HASH_SIZE	4096u
#define SCAN_EVERY_S	5
#define SCAN_BUCKETS	8192u		/* of the flow table at one go: 8 MiB read */
#define MAX_MANAGED	1024u
#define MAX_HOPS	65536u		/* different next hops of one pass; a power of two */
#define VALID_STATES	(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct neighbour {
	struct neighbour *next;
	uint32_t ifindex;
	__be32 addr;
	uint8_t mac[6];
	bool valid;		/* mac holds */
	bool permanent;
	bool managed;		/* by us */
	bool seen;		/* while all are read */
};

/* A next hop as flows have it; ifindex 0: empty. */
struct hop {
	uint32_t ifindex;
	uint8_t mac[6];
};

struct neighbours {
	struct nl *nl;
	struct neighbour *hash[HASH_SIZE];
	struct hop *hops;	/* open addressing, MAX_HOPS */
	unsigned int n_hops, n_managed;
	uint32_t next_bucket, pass_s;
	bool scanning, unsupported;
	bool changed;		/* while reading */
};

struct neighbours *neigh_new(struct nl *nl)
{
	struct neighbours *n = calloc(1, sizeof(*n));

	if (n)
		n->nl = nl;
	if (n)
		n->hops = calloc(MAX_HOPS, sizeof(*n->hops));
	if (n && !n->hops) {
		free(n);
		n = NULL;
	}
	return n;
}

static uint32_t mix(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x85ebca6b;
	x ^= x >> 13;
	x *= 0xc2b2ae35;
	return x ^ x >> 16;
}

static struct neighbour **find(struct neighbours *n, uint32_t ifindex, __be32 addr)
{
	struct neighbour **at = &n->hash[mix(addr ^ ifindex * 0x9e3779b9u) % HASH_SIZE];

	while (*at && ((*at)->ifindex != ifindex || (*at)->addr != addr))
		at = &(*at)->next;
	return at;
}

/* What a message says */

struct news {
	uint32_t ifindex;
	__be32 addr;
	const uint8_t *mac;
	uint16_t state;
};

static int news_attr(const struct nlattr *attr, void *arg)
{
	struct news *news = arg;

	if (mnl_attr_get_type(attr) == NDA_DST && mnl_attr_get_payload_len(attr) == 4)
		memcpy(&news->addr, mnl_attr_get_payload(attr), 4);
	if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
		news->mac = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

static bool parse(const struct nlmsghdr *msg, struct news *news)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);

	memset(news, 0, sizeof(*news));
	if (nd->ndm_family != AF_INET || (nd->ndm_flags & NTF_PROXY))
		return false;
	news->ifindex = (uint32_t)nd->ndm_ifindex;
	news->state = nd->ndm_state;
	mnl_attr_parse(msg, sizeof(*nd), news_attr, news);
	return news->addr;
}

static void forget(struct neighbours *n, struct neighbour **at)
{
	struct neighbour *gone = *at;

	n->n_managed -= gone->managed;
	*at = gone->next;
	free(gone);
}

bool neigh_event(struct neighbours *n, const struct nlmsghdr *msg)
{
	struct neighbour **at, *it;
	bool valid, matters;
	struct news news;

	if (!parse(msg, &news))
		return false;
	at = find(n, news.ifindex, news.addr);
	it = *at;
	if (msg->nlmsg_type == RTM_DELNEIGH) {
		matters = it && it->valid;
		if (it)
			forget(n, at);
		return matters;
	}
	if (!it) {
		it = calloc(1, sizeof(*it));
		if (!it)
			return true;
		it->ifindex = news.ifindex;
		it->addr = news.addr;
		*at = it;
	}
	it->seen = true;
	valid = (news.state & VALID_STATES) && news.mac;
	matters = it->valid && ((news.state & NUD_FAILED) || (valid && memcmp(it->mac, news.mac, 6)));
	it->permanent = news.state & (NUD_PERMANENT | NUD_NOARP);
	if (valid) {
		memcpy(it->mac, news.mac, 6);
		it->valid = true;
	} else if (news.state & NUD_FAILED) {
		it->valid = false;
	}
	return matters;
}

static int take_neighbour(const struct nlmsghdr *msg, void *arg)
{
	struct neighbours *n = arg;

	if (msg->nlmsg_type == RTM_NEWNEIGH)
		n->changed |= neigh_event(n, msg);
	return 0;
}

static void forget_unseen(struct neighbours *n)
{
	struct neighbour **at;
	unsigned int i;

	for (i = 0; i < HASH_SIZE; i++)
		for (at = &n->hash[i]; *at;) {
			if ((*at)->seen) {
				at = &(*at)->next;
				continue;
			}
			n->changed |= (*at)->valid;
			forget(n, at);
		}
}

int neigh_read(struct neighbours *n, bool *changed)
{
	struct neighbour *it;
	unsigned int i;
	char buf[NL_BUF_BYTES];
	struct nlmsghdr *msg = nl_put(buf, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));
	int err;

	nd->ndm_family = AF_INET;
	n->changed = false;
	for (i = 0; i < HASH_SIZE; i++)
		for (it = n->hash[i]; it; it = it->next)
			it->seen = false;
	err = nl_talk(n->nl, msg, take_neighbour, NULL, n);
	if (!err)
		forget_unseen(n);
	*changed = n->changed;
	return err;
}

/* Managed neighbours */

static void set_managed(struct neighbours *n, struct neighbour *it, bool managed)
{
	char buf[NL_BUF_BYTES], text[ADDR_TEXT_LEN];
	struct nlmsghdr *msg = nl_put(buf, RTM_NEWNEIGH, NLM_F_REPLACE);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));
	int err;

	nd->ndm_family = AF_INET;
	nd->ndm_ifindex = (int)it->ifindex;
	/* NTF_USE leaves state and address as they are; without the extended flag it ends the management. */
	nd->ndm_flags = managed ? 0 : NTF_USE;
	mnl_attr_put(msg, NDA_DST, 4, &it->addr);
	if (managed)
		mnl_attr_put_u32(msg, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	err = nl_talk(n->nl, msg, NULL, NULL, NULL);
	if (err == -EINVAL || err == -EOPNOTSUPP) {
		n->unsupported = true;
		log_info("this kernel does not keep next hops alive by itself (managed neighbours, kernel 5.16)");
		return;
	}
	if (err)
		log_debug("neighbour %s: %s", addr_print4(ntohl(it->addr), text), strerror(-err));
	if (managed == it->managed || (err && managed))
		return;
	it->managed = managed;
	n->n_managed += managed ? 1 : -1u;
	log_debug("next hop %s is %s", addr_print4(ntohl(it->addr), text), managed ? "kept alive" : "not kept alive any more");
}

void neigh_free(struct neighbours *n, bool release)
{
	unsigned int i;

	if (!n)
		return;
	for (i = 0; i < HASH_SIZE; i++)
		while (n->hash[i]) {
			if (release && n->hash[i]->managed)
				set_managed(n, n->hash[i], false);
			forget(n, &n->hash[i]);
		}
	free(n->hops);
	free(n);
}

/* Next hops in use */

/* The place of a hop in the set, or the empty one where it belongs. */
static struct hop *find_hop(struct neighbours *n, uint32_t ifindex, const uint8_t mac[6])
{
	uint32_t word, at;

	memcpy(&word, mac + 2, 4);
	at = mix(word ^ ifindex * 0x9e3779b9u);
	for (;; at++) {
		struct hop *hop = &n->hops[at % MAX_HOPS];

		if (!hop->ifindex || (hop->ifindex == ifindex && !memcmp(hop->mac, mac, 6)))
			return hop;
	}
}

static void note_flow(struct neighbours *n, const struct flow *flow)
{
	uint32_t oif = flow->oif;
	uint8_t mac[6];
	struct hop *hop;

	memcpy(mac, flow->dmac, 6);
	if (!oif || (flow->flags & FLOW_WIRE) || n->n_hops >= MAX_HOPS / 2)
		return;
	hop = find_hop(n, oif, mac);
	if (hop->ifindex)
		return;
	hop->ifindex = oif;
	memcpy(hop->mac, mac, 6);
	n->n_hops++;
}

static void end_pass(struct neighbours *n)
{
	struct neighbour *it;
	unsigned int i;
	bool used;

	for (i = 0; i < HASH_SIZE && !n->unsupported; i++)
		for (it = n->hash[i]; it; it = it->next) {
			used = it->valid && !it->permanent && find_hop(n, it->ifindex, it->mac)->ifindex;
			if (used != it->managed && (!used || n->n_managed < MAX_MANAGED))
				set_managed(n, it, used);
		}
	memset(n->hops, 0, MAX_HOPS * sizeof(*n->hops));
	n->n_hops = 0;
	n->scanning = false;
}

void neigh_scan(struct neighbours *n, const struct maps *maps, uint32_t now_s)
{
	uint32_t end, slot;

	if (!n->scanning) {
		if (now_s - n->pass_s < SCAN_EVERY_S || n->unsupported)
			return;
		n->scanning = true;
		n->pass_s = now_s;
		n->next_bucket = 0;
	}
	end = n->next_bucket + SCAN_BUCKETS < maps->n_buckets ? n->next_bucket + SCAN_BUCKETS : maps->n_buckets;
	for (; n->next_bucket < end; n->next_bucket++) {
		const struct bucket *bucket = &maps->flows[n->next_bucket];

		for (slot = 0; slot < NATVI_BUCKET_SLOTS; slot++)
			if (__atomic_load_n(&bucket->tag[slot], __ATOMIC_ACQUIRE) & TAG_LIVE)
				note_flow(n, &bucket->flow[slot]);
	}
	if (n->next_bucket >= maps->n_buckets)
		end_pass(n);
}

unsigned int neigh_managed(const struct neighbours *n)
{
	return n->n_managed;
}
