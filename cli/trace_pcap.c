/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace_pcap.c - a frame of a capture, made what the port that it is to come in by would get: with an Ethernet
 * header or without.
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/trace.h"

#define ETH_BYTES	14
#define SLL_BYTES	16
#define SLL2_BYTES	20
#define TYPE_IP		0x0800
#define TYPE_IP6	0x86dd

static const uint8_t some_host[6] = { 0x02, 0, 0, 0, 0, 0x01 };

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static bool is_ip(uint16_t type)
{
	return type == TYPE_IP || type == TYPE_IP6;
}

/* Where the IP packet begins in a frame of this link type; -1: there is none. */
static int ip_at(int type, const uint8_t *data, size_t len)
{
	switch (type) {
	case DLT_RAW:
		return 0;
	case DLT_LINUX_SLL:
		return len > SLL_BYTES && is_ip(get16(data + 14)) ? SLL_BYTES : -1;
	case DLT_LINUX_SLL2:
		return len > SLL2_BYTES && is_ip(get16(data)) ? SLL2_BYTES : -1;
	default:
		return len > ETH_BYTES && is_ip(get16(data + 12)) ? ETH_BYTES : -1;
	}
}

/* The frame as the port gets it. */
static int take(struct trace *t, int type, const uint8_t *data, size_t len, long number)
{
	int at = ip_at(type, data, len);
	uint8_t *frame;

	t->frame = frame = malloc(len + ETH_BYTES);
	if (!frame)
		return cli_error(CLI_FAIL, "no memory");
	if (type == DLT_EN10MB && !t->arrival.no_l2) {
		memcpy(frame, data, len);
		t->len = len;
	} else if (at < 0) {
		return cli_error(CLI_FAIL, "frame %ld holds no IP packet", number);
	} else if (t->arrival.no_l2) {
		memcpy(frame, data + at, len - at);
		t->len = len - at;
	} else {
		if (t->port)
			memcpy(frame, t->port->port.mac, 6);
		memcpy(frame + 6, some_host, 6);
		frame[12] = data[at] >> 4 == 6 ? TYPE_IP6 >> 8 : TYPE_IP >> 8;
		frame[13] = data[at] >> 4 == 6 ? TYPE_IP6 & 0xff : TYPE_IP & 0xff;
		memcpy(frame + ETH_BYTES, data + at, len - at);
		t->len = len - at + ETH_BYTES;
	}
	return CLI_OK;
}

/* What the sentence said of how it comes in stays. */
static void understand(struct trace *t)
{
	struct packet said = t->packet;

	t->is_ip = packet_read(t->frame, t->len, !t->arrival.no_l2, &t->packet);
	strcpy(t->packet.iif, said.iif);
	t->packet.mark = said.mark;
}

static int find(struct trace *t, pcap_t *in, const char *path, long number)
{
	int type = pcap_datalink(in), ret = 0, code;
	struct pcap_pkthdr *h = NULL;
	const u_char *data = NULL;

	if (type != DLT_EN10MB && type != DLT_RAW && type != DLT_LINUX_SLL && type != DLT_LINUX_SLL2)
		return cli_error(CLI_FAIL, "%s: link type %s; captures of Ethernet, raw IP or any interface can be traced", path,
				 pcap_datalink_val_to_name(type) ? pcap_datalink_val_to_name(type) : "unknown");
	for (long i = 0; i < number; i++) {
		ret = pcap_next_ex(in, &h, &data);
		if (ret == -1)
			return cli_error(CLI_FAIL, "%s: %s", path, pcap_geterr(in));
		if (ret != 1 && !i)
			return cli_error(CLI_FAIL, "%s: it holds no frame", path);
		if (ret != 1)
			return cli_error(CLI_FAIL, "%s: it holds %ld frames; right would be --frame 1 to %ld", path, i, i);
	}
	if (h->caplen > NATIVE_MAX_FRAME)
		return cli_error(CLI_FAIL, "%s: frame %ld has %u bytes; %d at most can be traced", path, number, h->caplen, NATIVE_MAX_FRAME);
	t->cut = h->caplen < h->len;
	code = take(t, type, data, h->caplen, number);
	if (!code)
		understand(t);
	return code;
}

int trace_read_pcap(struct trace *t, const char *path, long number)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *in;
	int code;

	in = pcap_open_offline(path, err);
	if (!in)
		return cli_error(CLI_FAIL, "%s", err);
	code = find(t, in, path, number);
	pcap_close(in);
	return code;
}
