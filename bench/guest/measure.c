// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs inside the guest, where a nanosecond is an instruction.
 *
 *   measure inject -N NAME [options]   send packets through net0 and print what one cost
 *   measure spin -N NAME               a second of doing nothing, and what others took of the CPU
 *   measure clock                      check that time does count instructions
 *
 * Results are lines "RESULT key=value ...".
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEMPLATE_WORDS 10
#define BATCH 64
#define MAX_BATCHES 4096
#define GENERATOR "/bench/generator.bpf.o"
#define ARRIVED "/sys/fs/bpf/maps/arrived"

struct plan {
	uint64_t frame[TEMPLATE_WORDS];
	uint32_t flow, mask, sent;
	uint16_t first_port, sum;
	uint32_t tcp, pad;
};

static struct {
	const char *name, *base, *destination_mac, *source, *destination, *flags;
	bool udp;
	unsigned first_flow, mask, warm, packets, port;
} given = {
	.name = "-", .base = "-", .destination_mac = "02:00:00:00:00:02", .source = "10.0.0.1", .destination = "10.0.0.100",
	.flags = "A", .warm = 1024, .packets = 16384, .port = 80,
};

static void fail(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The profiler knows these two instructions, which do nothing (profiler.c). */
static void profile_start(void) { __asm__ volatile(".byte 0x0f, 0x1f, 0x80; .long 0x5eed0001" ::: "memory"); }
static void profile_stop(void) { __asm__ volatile(".byte 0x0f, 0x1f, 0x80; .long 0x5eed0000" ::: "memory"); }

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Ones' complement sum in the machine's own order, folded. */
static uint32_t sum_of(const uint8_t *bytes, int length, uint32_t sum)
{
	for (; length > 1; bytes += 2, length -= 2) {
		uint16_t word;

		memcpy(&word, bytes, 2);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void mac_from(const char *text, uint8_t *mac)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) {
		fprintf(stderr, "measure: %s is no MAC\n", text);
		exit(1);
	}
}

/* The frame asked for, its source port 0; its length. */
static int frame_build(uint8_t *frame, struct plan *plan)
{
	bool six = strchr(given.destination, ':');
	int network = six ? 40 : 20, transport = given.udp ? 8 : 20, addresses = six ? 8 : 12, length = six ? 16 : 4;
	uint8_t *ip = frame + 14, *l4 = ip + network, protocol = given.udp ? IPPROTO_UDP : IPPROTO_TCP;
	uint32_t sum;

	mac_from(given.destination_mac, frame);
	mac_from("02:00:00:00:00:01", frame + 6);
	memcpy(frame + 12, six ? "\x86\xdd" : "\x08\x00", 2);
	if (inet_pton(six ? AF_INET6 : AF_INET, given.source, ip + addresses) != 1 ||
	    inet_pton(six ? AF_INET6 : AF_INET, given.destination, ip + addresses + length) != 1) {
		fprintf(stderr, "measure: %s or %s is no address\n", given.source, given.destination);
		exit(1);
	}
	if (six) {
		ip[0] = 0x60;
		ip[5] = transport;
		ip[6] = protocol;
		ip[7] = 64;
	} else {
		uint16_t check;

		ip[0] = 0x45;
		ip[3] = network + transport;
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = protocol;
		check = ~sum_of(ip, 20, 0);
		memcpy(ip + 10, &check, 2);
	}
	l4[2] = given.port >> 8;
	l4[3] = given.port;
	if (given.udp) {
		l4[5] = transport;	/* and no checksum: UDP over IPv4 only */
	} else {
		l4[4] = 0x11;
		l4[7] = 1;
		l4[12] = 0x50;
		l4[14] = l4[15] = 0xff;
		for (const char *flag = given.flags; *flag; flag++)
			l4[13] |= *flag == 'S' ? 2 : *flag == 'A' ? 16 : *flag == 'F' ? 1 : *flag == 'R' ? 4 : 0;
		sum = sum_of(ip + addresses, 2 * length, htons(protocol) + htons(transport));
		plan->sum = sum_of(l4, transport, sum);
		plan->tcp = 1;
	}
	return six ? 74 : 60;
}

/* Read and clear the counters of frames that arrived. */
static uint64_t arrivals(char *to, size_t room)
{
	int fd = bpf_obj_get(ARRIVED);
	uint64_t total = 0, zero = 0, count;
	size_t at = 0;

	if (fd < 0)
		fail(ARRIVED);
	for (uint32_t host = 0; host < 256; host++) {
		if (bpf_map_lookup_elem(fd, &host, &count) || !count)
			continue;
		bpf_map_update_elem(fd, &host, &zero, 0);
		if (total || !at)
			at += snprintf(to + at, at < room ? room - at : 0, "%s%02x:%llu", at ? "," : "", host, (unsigned long long)count);
		if (at > room)
			at = room;
		total += count;
	}
	if (!at)
		snprintf(to, room, "-");
	close(fd);
	return total;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void inject(void)
{
	static uint64_t time[MAX_BATCHES], cost[MAX_BATCHES];
	unsigned warm = (given.warm + BATCH - 1) / BATCH, batches = (given.packets + BATCH - 1) / BATCH, count = batches - 1;
	struct plan plan = { .flow = given.first_flow, .mask = given.mask, .first_port = 1024 };
	uint8_t frame[TEMPLATE_WORDS * 8] = {};
	int length = frame_build(frame, &plan), error, times, plans;
	struct xdp_md context = { .data_end = length, .ingress_ifindex = if_nametoindex("net0") };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = length, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (warm + batches) * BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = BATCH);
	struct bpf_object *object;
	uint64_t delivered;
	char to[200];
	double mean;

	if (batches < 2 || warm + batches > MAX_BATCHES) {
		fprintf(stderr, "measure: 2 to %d batches of %d packets\n", MAX_BATCHES, BATCH);
		exit(1);
	}
	object = bpf_object__open(GENERATOR);
	if (!object || bpf_object__load(object))
		fail(GENERATOR);
	times = bpf_object__find_map_fd_by_name(object, "times");
	plans = bpf_object__find_map_fd_by_name(object, ".data.plan");
	memcpy(plan.frame, frame, sizeof(frame));
	if (bpf_map_update_elem(plans, &(uint32_t){ 0 }, &plan, 0))
		fail("plan");
	arrivals(to, sizeof(to));
	profile_start();
	error = bpf_prog_test_run_opts(
		bpf_program__fd(bpf_object__find_program_by_name(object, length == 60 ? "generate4" : "generate6")), &run);
	profile_stop();
	if (error) {
		errno = -error;
		fail("test run");
	}
	usleep(20000);	/* what is still on its way arrives */
	delivered = arrivals(to, sizeof(to));
	for (uint32_t i = 0; i < warm + batches; i++)
		bpf_map_lookup_elem(times, &i, &time[i]);
	for (unsigned i = 0; i < count; i++)
		cost[i] = time[warm + i + 1] - time[warm + i];
	mean = (double)(time[warm + count] - time[warm]) / (count * BATCH);
	qsort(cost, count, sizeof(*cost), ascending);
	printf("RESULT name=%s base=%s cost=%.1f mean=%.1f sent=%u delivered=%llu to=%s\n", given.name, given.base,
	       cost[count / 2] / (double)BATCH, mean, (warm + batches) * BATCH, (unsigned long long)delivered, to);
}

/* How much of a second in which we would have the CPU to ourselves others took. */
static void spin(void)
{
	uint64_t start, last, taken = 0, least = ~0ULL;

	for (int i = 0; i < 1000; i++) {
		start = now();
		last = now();
		if (last - start < least)
			least = last - start;
	}
	start = last = now();
	while (last - start < 1000000000ULL) {
		uint64_t time = now();

		if (time - last > 2 * least)
			taken += time - last - least;
		last = time;
	}
	printf("RESULT name=%s base=%s cost=%llu\n", given.name, given.base, (unsigned long long)taken);
}

/* Fifty million instructions: a loop of two. */
static void clock_check(void)
{
	uint64_t start = now();

	__asm__ volatile("mov $25000000, %%ecx\n1: dec %%ecx\njnz 1b" ::: "ecx", "cc");
	printf("CLOCK %llu\n", (unsigned long long)(now() - start));
}

int main(int count, char **words)
{
	const char *what = count > 1 ? words[1] : "";
	int option;

	setvbuf(stdout, NULL, _IOLBF, 0);
	optind = 2;
	while ((option = getopt(count, words, "N:B:D:s:d:P:f:uC:m:w:n:")) != -1)
		switch (option) {
		case 'N': given.name = optarg; break;
		case 'B': given.base = optarg; break;
		case 'D': given.destination_mac = optarg; break;
		case 's': given.source = optarg; break;
		case 'd': given.destination = optarg; break;
		case 'P': given.port = atoi(optarg); break;
		case 'f': given.flags = optarg; break;
		case 'u': given.udp = true; break;
		case 'C': given.first_flow = atoi(optarg); break;
		case 'm': given.mask = strtoul(optarg, NULL, 0); break;
		case 'w': given.warm = atoi(optarg); break;
		case 'n': given.packets = atoi(optarg); break;
		default: return 2;
		}
	if (!strcmp(what, "inject"))
		inject();
	else if (!strcmp(what, "spin"))
		spin();
	else if (!strcmp(what, "clock"))
		clock_check();
	else
		return 2;
	return 0;
}
