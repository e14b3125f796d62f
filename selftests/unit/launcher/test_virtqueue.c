// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's side of a virtqueue against a guest that does everything wrong: what it did is told,
 * nothing outside its memory is reached, and no loop is endless.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "lib/ktap.h"
#include "lib/rng.h"
#include "seed.h"

#define CALLS 200000

static struct mem mem;
static struct virtqueue queue;
static struct chain chain;

static void queue_begin(void)
{
	memory_create(&mem);
	virtqueue_reset(&queue, &mem);
	queue.size = QUEUE_SIZE;
	queue.desc_gpa = DESC_GPA;
	queue.avail_gpa = AVAIL_GPA;
	queue.used_gpa = USED_GPA;
}

static void queue_started(void)
{
	queue_begin();
	REQUIRE(virtqueue_start(&queue) == VIRTQUEUE_CHAIN);
}

static void expect_broken(const char *why)
{
	EXPECT(virtqueue_pop(&queue, &chain) == VIRTQUEUE_BROKEN);
	EXPECT(queue.fault && strstr(queue.fault, why), "told '%s', expected '%s'", queue.fault,
	       why);
	EXPECT(!queue.ready);
	/* And it stays so, whatever is offered. */
	ring_set(&mem, 0, DATA_GPA, 16, 0, 0);
	ring_offer(&mem, 0);
	EXPECT(virtqueue_pop(&queue, &chain) == VIRTQUEUE_BROKEN);
	virtqueue_push(&queue, 0, 0);
	EXPECT_EQ(0, ring_used(&mem));
}

static void good_chain(void)
{
	struct iovec part[VIRTQUEUE_MAX];

	queue_started();
	EXPECT(virtqueue_pop(&queue, &chain) == VIRTQUEUE_EMPTY);
	ring_set(&mem, 3, DATA_GPA, 10, VRING_DESC_F_NEXT, 5);
	ring_set(&mem, 5, DATA_GPA + 100, 20, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	ring_set(&mem, 1, GUEST_SIZE - 30, 30, VRING_DESC_F_WRITE, 0);
	ring_offer(&mem, 3);
	EXPECT(virtqueue_has_chain(&queue));
	EXPECT(virtqueue_pop(&queue, &chain) == VIRTQUEUE_CHAIN);
	EXPECT_EQ(3, chain.head);
	EXPECT_EQ(1, chain.nr_out);
	EXPECT_EQ(2, chain.nr_in);
	EXPECT_EQ(10, chain.out_len);
	EXPECT_EQ(50, chain.in_len);
	EXPECT_EQ(2, iov_part(part, chain.in, chain.nr_in, 15, 10));
	EXPECT_EQ(5, part[0].iov_len);
	EXPECT_EQ(5, part[1].iov_len);
	EXPECT(part[1].iov_base == mem_at(&mem, GUEST_SIZE - 30, 1));
	virtqueue_push(&queue, chain.head, 50);
	EXPECT_EQ(1, ring_used(&mem));
	EXPECT(!virtqueue_has_chain(&queue));
}

static void wrong_rings(void)
{
	static const struct {
		uint32_t size;
		uint64_t desc, avail, used;
	} cases[] = {
		{ 0, DESC_GPA, AVAIL_GPA, USED_GPA },
		{ 3, DESC_GPA, AVAIL_GPA, USED_GPA },
		{ VIRTQUEUE_MAX * 2, DESC_GPA, AVAIL_GPA, USED_GPA },
		{ 0x80000000, DESC_GPA, AVAIL_GPA, USED_GPA },
		{ QUEUE_SIZE, DESC_GPA + 8, AVAIL_GPA, USED_GPA },
		{ QUEUE_SIZE, DESC_GPA, AVAIL_GPA + 1, USED_GPA },
		{ QUEUE_SIZE, DESC_GPA, AVAIL_GPA, USED_GPA + 2 },
		{ QUEUE_SIZE, GUEST_SIZE, AVAIL_GPA, USED_GPA },
		{ QUEUE_SIZE, GUEST_SIZE - 16, AVAIL_GPA, USED_GPA },
		{ QUEUE_SIZE, DESC_GPA, GUEST_SIZE - 8, USED_GPA },
		{ QUEUE_SIZE, DESC_GPA, AVAIL_GPA, GUEST_SIZE - 128 },
		{ QUEUE_SIZE, -16ULL, AVAIL_GPA, USED_GPA },
		{ QUEUE_SIZE, DESC_GPA, -2ULL, USED_GPA },
		{ QUEUE_SIZE, DESC_GPA, AVAIL_GPA, -4ULL },
		{ QUEUE_SIZE, DESC_GPA, AVAIL_GPA, DESC_GPA + 16 },
		{ QUEUE_SIZE, DESC_GPA, AVAIL_GPA, AVAIL_GPA },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		queue_begin();
		queue.size = cases[i].size;
		queue.desc_gpa = cases[i].desc;
		queue.avail_gpa = cases[i].avail;
		queue.used_gpa = cases[i].used;
		EXPECT(virtqueue_start(&queue) == VIRTQUEUE_BROKEN, "case %zu", i);
		EXPECT(virtqueue_pop(&queue, &chain) == VIRTQUEUE_BROKEN, "case %zu", i);
		free(mem.host);
	}
}

static void a_loop(void)
{
	queue_started();
	ring_set(&mem, 0, DATA_GPA, 16, VRING_DESC_F_NEXT, 1);
	ring_set(&mem, 1, DATA_GPA, 16, VRING_DESC_F_NEXT, 0);
	ring_offer(&mem, 0);
	expect_broken("loop");
}

static void a_loop_of_one(void)
{
	queue_started();
	ring_set(&mem, 0, DATA_GPA, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 0);
	ring_offer(&mem, 0);
	expect_broken("loop");
}

static void outside_memory(void)
{
	static const struct {
		uint64_t gpa;
		uint32_t len;
	} cases[] = {
		{ GUEST_SIZE, 1 },	{ GUEST_SIZE - 1, 2 }, { DATA_GPA, 0xffffffff },
		{ -1ULL, 1 },		{ -1ULL, 2 },	       { -16ULL, 0x1000 },
		{ 0x100000000ULL, 16 }, { 1ULL << 63, 16 },    { GUEST_SIZE - 1, 0xffffffff },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		queue_started();
		ring_set(&mem, 0, cases[i].gpa, cases[i].len, i % 2 ? VRING_DESC_F_WRITE : 0, 0);
		ring_offer(&mem, 0);
		expect_broken("not within");
		free(mem.host);
	}
}

static void no_length(void)
{
	queue_started();
	ring_set(&mem, 0, DATA_GPA, 0, 0, 0);
	ring_offer(&mem, 0);
	expect_broken("no length");
}

static void number_too_large(void)
{
	queue_started();
	ring_offer(&mem, QUEUE_SIZE);
	expect_broken("number");
}

static void next_too_large(void)
{
	queue_started();
	ring_set(&mem, 0, DATA_GPA, 16, VRING_DESC_F_NEXT, 0xffff);
	ring_offer(&mem, 0);
	expect_broken("number");
}

static void indirect(void)
{
	queue_started();
	ring_set(&mem, 0, DATA_GPA, 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&mem, 0);
	expect_broken("flags");
}

static void read_after_fill(void)
{
	queue_started();
	ring_set(&mem, 0, DATA_GPA, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	ring_set(&mem, 1, DATA_GPA, 16, 0, 0);
	ring_offer(&mem, 0);
	expect_broken("follows");
}

static void too_many_offered(void)
{
	struct vring_avail *avail;

	queue_started();
	avail = mem_at(&mem, AVAIL_GPA, sizeof(*avail));
	avail->idx = QUEUE_SIZE + 1;
	expect_broken("more buffers");
}

static void over_the_rings(void)
{
	static const uint64_t at[] = { DESC_GPA, AVAIL_GPA, USED_GPA, USED_GPA - 8,
				       DESC_GPA + 255 };
	size_t i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		queue_started();
		ring_set(&mem, 0, at[i], 16, VRING_DESC_F_WRITE, 0);
		ring_offer(&mem, 0);
		expect_broken("overlaps");
		free(mem.host);
	}
}

/* Of two that overlap each is a buffer as good as any: see virtqueue.c. */
static void overlapping_buffers(void)
{
	static const char text[] = "0123456789abcdefghijklmnopqrstu";

	queue_started();
	ring_set(&mem, 0, DATA_GPA, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	ring_set(&mem, 1, DATA_GPA + 8, 16, VRING_DESC_F_WRITE, 0);
	ring_offer(&mem, 0);
	REQUIRE(virtqueue_pop(&queue, &chain) == VIRTQUEUE_CHAIN);
	EXPECT_EQ(32, chain_write(&chain, 0, text, 32));
	EXPECT(memcmp(mem_at(&mem, DATA_GPA, 8), text, 8) == 0);
	EXPECT(memcmp(mem_at(&mem, DATA_GPA + 8, 16), text + 16, 16) == 0);
	EXPECT_EQ(0, ((char *)mem_at(&mem, DATA_GPA, 32))[24]);
}

static atomic_bool done;
static unsigned long long seed;

/* A value that a guest would try: small, at an edge, or anything. */
static uint64_t hostile(struct rng *rng)
{
	switch (rng_below(rng, 6)) {
	case 0:
		return rng_next(rng);
	case 1:
		return GUEST_SIZE - rng_below(rng, 64);
	case 2:
		return rng_below(rng, QUEUE_SIZE + 2);
	default:
		return rng_below(rng, GUEST_SIZE);
	}
}

static void hostile_store(struct rng *rng)
{
	struct vring_avail *avail = mem_at(&mem, AVAIL_GPA, sizeof(*avail));
	unsigned int nr = rng_below(rng, QUEUE_SIZE);

	switch (rng_below(rng, 8)) {
	case 0:
		avail->idx =
			rng_below(rng, 8) ? queue.next_avail + rng_below(rng, 4) : hostile(rng);
		break;
	case 1:
		avail->ring[nr] = hostile(rng);
		break;
	default:
		ring_set(&mem, nr, hostile(rng),
			 rng_below(rng, 3) ? rng_below(rng, 64) : hostile(rng),
			 rng_below(rng, 64) ? rng_below(rng, 4) : rng_next(rng), hostile(rng));
	}
}

static void *hostile_guest(void *data)
{
	struct rng rng = { .state = seed * 2 + 1 };

	(void)data;
	while (!atomic_load(&done))
		hostile_store(&rng);
	return NULL;
}

/* Each byte that the device could touch. */
static void use_chain(const struct chain *c)
{
	static uint8_t bytes[4096];
	size_t at;
	unsigned int i;

	chain_read(c, bytes, sizeof(bytes));
	for (i = 0; i < c->nr_in; i++) {
		for (at = 0; at < c->in[i].iov_len; at += 61)
			((volatile uint8_t *)c->in[i].iov_base)[at] = i;
		((volatile uint8_t *)c->in[i].iov_base)[c->in[i].iov_len - 1] = i;
	}
}

/* The guest changes all while it is looked at, from another thread and in between. */
static void changed_while_in_use(void)
{
	const char *text = getenv("CALLS");
	unsigned long i, calls = text ? strtoul(text, NULL, 0) : CALLS, chains = 0, broken = 0;
	struct rng rng;
	pthread_t guest;

	seed = test_seed();
	rng = (struct rng){ .state = seed };
	queue_started();
	REQUIRE(pthread_create(&guest, NULL, hostile_guest, NULL) == 0);
	for (i = 0; i < calls; i++) {
		enum virtqueue_result result;

		hostile_store(&rng);
		result = virtqueue_pop(&queue, &chain);
		if (result == VIRTQUEUE_CHAIN) {
			chains++;
			EXPECT(chain.nr_in + chain.nr_out <= QUEUE_SIZE);
			use_chain(&chain);
			virtqueue_push(&queue, chain.head, chain.in_len);
			virtqueue_wants_interrupt(&queue);
		} else if (result == VIRTQUEUE_BROKEN) {
			broken++;
			EXPECT(queue.fault);
			queue.fault = NULL;
			REQUIRE(virtqueue_start(&queue) == VIRTQUEUE_CHAIN);
			queue.next_avail = ((struct vring_avail *)mem_at(&mem, AVAIL_GPA, 4))->idx;
		}
	}
	atomic_store(&done, true);
	pthread_join(guest, NULL);
	ktap_note("%lu looks: %lu chains, broken %lu times", calls, chains, broken);
	EXPECT(chains > calls / 10000 && broken > calls / 10000);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(good_chain),
	KTAP_TEST(wrong_rings),
	KTAP_TEST(a_loop),
	KTAP_TEST(a_loop_of_one),
	KTAP_TEST(outside_memory),
	KTAP_TEST(no_length),
	KTAP_TEST(number_too_large),
	KTAP_TEST(next_too_large),
	KTAP_TEST(indirect),
	KTAP_TEST(read_after_fill),
	KTAP_TEST(too_many_offered),
	KTAP_TEST(over_the_rings),
	KTAP_TEST(overlapping_buffers),
	KTAP_TEST_LIMIT(changed_while_in_use, 600),
};

KTAP_MAIN(tests)
