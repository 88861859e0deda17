/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * packet_fragments.h - what fuzz_packet.c knows of fragmented datagrams: they pass in order, as their first fragment did. Only that
 * file includes it, behind what reads packets there.
 */
#ifndef NATVI_TESTS_FUZZ_PACKET_FRAGMENTS_H
#define NATVI_TESTS_FUZZ_PACKET_FRAGMENTS_H

/* What first fragments have shown: the last ones of them. */
static struct first {
	uint8_t ends[8], proto, id[2];		/* as it came in */
	uint8_t out_ends[8], out_id[2];
	bool kernel;				/* left to the kernel untranslated */
	uint32_t next;
} firsts[64];
static unsigned int n_firsts;

static struct first *first_of(const uint8_t *ip)
{
	for (unsigned int i = 0; i < n_firsts && i < 64; i++)
		if (!memcmp(firsts[i].ends, ip + 12, 8) && firsts[i].proto == ip[9] && !memcmp(firsts[i].id, ip + 4, 2))
			return &firsts[i];
	return NULL;
}

static void keep_first(const uint8_t *in, const uint8_t *out, size_t ip_len, bool kernel)
{
	struct first *f = first_of(in);

	f = f ? f : &firsts[n_firsts++ & 63];
	memcpy(f->ends, in + 12, 8);
	memcpy(f->id, in + 4, 2);
	memcpy(f->out_ends, out + 12, 8);
	memcpy(f->out_id, out + 4, 2);
	f->proto = in[9];
	f->kernel = kernel;
	f->next = (uint32_t)(ip_len - (in[0] & 15) * 4u + 7) / 8;
}

/* A fragment that goes on, translated or left to the kernel. */
static void check_fragment(const struct native_result *r, const uint8_t *in, size_t in_len)
{
	bool kernel = !is_translated(r->verdict);
	size_t ip_len, out_len;
	uint8_t *ip = ip_of((uint8_t *)in, in_len, &ip_len), *out = ip_of((uint8_t *)r->frame, r->len, &out_len);
	uint32_t at;
	struct first *f;

	if (!ip || !out || !(get16(ip + 6) & 0x3fff) || r->verdict == VERDICT_MULTICAST || r->verdict == VERDICT_NOT_ENABLED ||
	    r->verdict == VERDICT_NOT_IPV4 || r->verdict == VERDICT_OTHER_HOST)
		return;
	at = get16(ip + 6) & 0x1fff;
	if (!at) {
		keep_first(ip, out, ip_len, kernel);
		return;
	}
	f = first_of(ip);
	if (!f && n_firsts > 64)
		return;		/* too many to tell */
	if (!f)
		die("a later fragment passes without a first one", r);
	if (f->kernel != kernel || memcmp(f->out_ends, out + 12, 8) || (!kernel && memcmp(f->out_id, out + 4, 2)))
		die("a later fragment goes another way than its first one", r);
	if (f->next != at)
		die("a fragment passes that does not begin where the last one ended", r);
	f->next = (uint32_t)(at + (ip_len - (ip[0] & 15) * 4u + 7) / 8);
}

/* One whose turn it was, but that could not go on: the next one's turn has come all the same. */
static void miss_fragment(const struct native_result *r, const uint8_t *in, size_t in_len)
{
	size_t ip_len;
	uint8_t *ip = ip_of((uint8_t *)in, in_len, &ip_len);
	struct first *f = ip && (get16(ip + 6) & 0x1fff) ? first_of(ip) : NULL;

	if (f && f->next == (get16(ip + 6) & 0x1fffu) && (r->verdict == VERDICT_TTL_EXCEEDED || r->verdict == VERDICT_TOO_BIG ||
							  r->verdict == VERDICT_NO_ROUTE || r->verdict == VERDICT_OUT_NOT_ENABLED))
		f->next += (uint32_t)(ip_len - (ip[0] & 15) * 4u + 7) / 8;
}

#endif
