// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio devices with their threads, driven through their registers: a disk keeps what is written,
 * refuses what is no request, stops when its queue is broken, and works again after a reset.
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "lib/ktap.h"
#include "lib/rng.h"
#include "seed.h"
#include "virtio_rng.h"

#define CALLS	    3000
#define NO_STATUS   0xee
#define LAST_SECTOR (DISK_SIZE / SECTOR_SIZE - 1)

static struct mem mem;
static struct virtio_blk blk;
static char *path;

static int image_create(void)
{
	path = strdup("/tmp/mkvm-disk-XXXXXX");
	return mkstemp(path);
}

static void disk_create(bool readonly)
{
	int fd = image_create();

	REQUIRE(fd >= 0 && ftruncate(fd, DISK_SIZE) == 0);
	close(fd);
	memory_create(&mem);
	REQUIRE(virtio_blk_create(&blk, path, readonly, &mem) == 0);
	unlink(path);
	REQUIRE(virtio_start(&blk.dev) == 0);
	driver_start(&blk.dev);
}

static void disk_destroy(void)
{
	virtio_stop(&blk.dev);
	virtio_blk_destroy(&blk);
	free(mem.host);
}

/* A request whose data is described by descriptor 1; answers the status that it got. */
static uint8_t request_of(uint32_t type, uint64_t sector, uint32_t len, uint16_t flags)
{
	struct virtio_blk_outhdr *header = mem_at(&mem, HEADER_GPA, sizeof(*header));
	uint8_t *status = mem_at(&mem, STATUS_GPA, 1);
	uint16_t used = ring_used(&mem);

	*header = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*status = NO_STATUS;
	ring_set(&mem, 0, HEADER_GPA, sizeof(*header), VRING_DESC_F_NEXT, len ? 1 : 2);
	ring_set(&mem, 1, DATA_GPA, len, flags | VRING_DESC_F_NEXT, 2);
	ring_set(&mem, 2, STATUS_GPA, 1, VRING_DESC_F_WRITE, 0);
	ring_offer(&mem, 0);
	driver_kick(&blk.dev);
	EXPECT_EQ(VIRTIO_MMIO_INT_VRING, driver_wait(&blk.dev));
	EXPECT_EQ((uint16_t)(used + 1), ring_used(&mem));
	return *status;
}

static uint8_t disk_write(uint64_t sector, uint32_t len)
{
	return request_of(VIRTIO_BLK_T_OUT, sector, len, 0);
}

static uint8_t disk_read(uint64_t sector, uint32_t len)
{
	return request_of(VIRTIO_BLK_T_IN, sector, len, VRING_DESC_F_WRITE);
}

static void registers(void)
{
	disk_create(false);
	EXPECT_EQ(0x74726976, reg_read(&blk.dev, VIRTIO_MMIO_MAGIC_VALUE));
	EXPECT_EQ(2, reg_read(&blk.dev, VIRTIO_MMIO_VERSION));
	EXPECT_EQ(2, reg_read(&blk.dev, VIRTIO_MMIO_DEVICE_ID));
	EXPECT_EQ(DISK_SIZE / SECTOR_SIZE, reg_read(&blk.dev, VIRTIO_MMIO_CONFIG));
	EXPECT_EQ(VIRTQUEUE_MAX, reg_read(&blk.dev, VIRTIO_MMIO_QUEUE_NUM_MAX));
	reg_write(&blk.dev, VIRTIO_MMIO_QUEUE_SEL, 1);
	EXPECT_EQ(0, reg_read(&blk.dev, VIRTIO_MMIO_QUEUE_NUM_MAX));
	reg_write(&blk.dev, VIRTIO_MMIO_QUEUE_SEL, 0xffffffff);
	EXPECT_EQ(0, reg_read(&blk.dev, VIRTIO_MMIO_QUEUE_NUM_MAX));
	reg_write(&blk.dev, VIRTIO_MMIO_QUEUE_READY, 1);
	EXPECT_EQ(0, reg_read(&blk.dev, VIRTIO_MMIO_QUEUE_READY));
	disk_destroy();
}

/* Features that were not offered, or not the one that must be: no agreement, and so no driver. */
static void features_refused(void)
{
	static const uint64_t wrong[] = { 0, 1ULL << VIRTIO_F_VERSION_1 | 1ULL << 35,
					  1ULL << VIRTIO_F_VERSION_1 | 1 };
	size_t i;

	disk_create(false);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint32_t status;

		driver_begin(&blk.dev, wrong[i]);
		status = reg_read(&blk.dev, VIRTIO_MMIO_STATUS);
		EXPECT(!(status & VIRTIO_CONFIG_S_FEATURES_OK), "features 0x%llx",
		       (unsigned long long)wrong[i]);
		reg_write(&blk.dev, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK);
		EXPECT(!(reg_read(&blk.dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_DRIVER_OK));
	}
	disk_destroy();
}

static void keeps_what_is_written(void)
{
	uint8_t *data, expected[8 * SECTOR_SIZE];
	struct rng rng = rng_seeded(1, 1);

	disk_create(false);
	data = mem_at(&mem, DATA_GPA, sizeof(expected));
	rng_fill(&rng, expected, sizeof(expected));
	memcpy(data, expected, sizeof(expected));
	EXPECT_EQ(VIRTIO_BLK_S_OK, disk_write(LAST_SECTOR - 7, sizeof(expected)));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_of(VIRTIO_BLK_T_FLUSH, 0, 0, 0));
	memset(data, 0, sizeof(expected));
	EXPECT_EQ(VIRTIO_BLK_S_OK, disk_read(LAST_SECTOR - 7, sizeof(expected)));
	EXPECT(memcmp(data, expected, sizeof(expected)) == 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_of(VIRTIO_BLK_T_GET_ID, 0, 20, VRING_DESC_F_WRITE));
	EXPECT(memcmp(data, "mkvm-disk-", 10) == 0);
	disk_destroy();
}

static void refuses_what_is_no_request(void)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t len;
		uint16_t flags;
		uint8_t status;
	} cases[] = {
		{ VIRTIO_BLK_T_IN, LAST_SECTOR, 1024, VRING_DESC_F_WRITE, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, LAST_SECTOR + 1, 512, VRING_DESC_F_WRITE, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, -1ULL, 512, VRING_DESC_F_WRITE, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 1ULL << 55, 512, VRING_DESC_F_WRITE, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 0, DISK_SIZE + 512, VRING_DESC_F_WRITE, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 0, 511, VRING_DESC_F_WRITE, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, LAST_SECTOR, 1024, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, -2ULL, 1024, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, 0, 513, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_GET_ID, 0, 19, VRING_DESC_F_WRITE, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_DISCARD, 0, 16, 0, VIRTIO_BLK_S_UNSUPP },
		{ 0xffffffff, 0, 512, VRING_DESC_F_WRITE, VIRTIO_BLK_S_UNSUPP },
	};
	struct stat stat;
	size_t i;

	disk_create(false);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t status =
			request_of(cases[i].type, cases[i].sector, cases[i].len, cases[i].flags);

		EXPECT(status == cases[i].status, "case %zu: status %u", i, status);
	}
	REQUIRE(fstat(blk.fd, &stat) == 0);
	EXPECT_EQ(DISK_SIZE, stat.st_size);
	EXPECT_EQ(VIRTIO_BLK_S_OK, disk_read(0, 512));
	disk_destroy();
}

static void a_short_header(void)
{
	uint8_t *status;

	disk_create(false);
	status = mem_at(&mem, STATUS_GPA, 1);
	*status = NO_STATUS;
	ring_set(&mem, 0, HEADER_GPA, 15, VRING_DESC_F_NEXT, 1);
	ring_set(&mem, 1, STATUS_GPA, 1, VRING_DESC_F_WRITE, 0);
	ring_offer(&mem, 0);
	driver_kick(&blk.dev);
	EXPECT_EQ(VIRTIO_MMIO_INT_VRING, driver_wait(&blk.dev));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, *status);
	disk_destroy();
}

static void readonly(void)
{
	disk_create(true);
	EXPECT(reg_read(&blk.dev, VIRTIO_MMIO_DEVICE_FEATURES) & 1U << VIRTIO_BLK_F_RO);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, disk_write(0, 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, disk_read(0, 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, request_of(VIRTIO_BLK_T_FLUSH, 0, 0, 0));
	disk_destroy();
}

/* An image that becomes shorter under the guest: an error, not zeros. */
static void image_cut_short(void)
{
	disk_create(false);
	REQUIRE(ftruncate(blk.fd, SECTOR_SIZE) == 0);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, disk_read(0, 1024));
	EXPECT_EQ(VIRTIO_BLK_S_OK, disk_read(0, 512));
	disk_destroy();
}

/* Breaks the queue by what descriptor 0 now says; the device has to ask for a reset. */
static void expect_stopped(void)
{
	uint32_t status;

	ring_offer(&mem, 0);
	driver_kick(&blk.dev);
	EXPECT_EQ(VIRTIO_MMIO_INT_CONFIG, driver_wait(&blk.dev));
	status = reg_read(&blk.dev, VIRTIO_MMIO_STATUS);
	EXPECT(status & VIRTIO_CONFIG_S_NEEDS_RESET, "status 0x%x", status);
	EXPECT_EQ(0, ring_used(&mem));
	/* A driver cannot wish it away. */
	reg_write(&blk.dev, VIRTIO_MMIO_STATUS, status & ~VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT(reg_read(&blk.dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void restart(void)
{
	memset(mem_at(&mem, DESC_GPA, 0x3000), 0, 0x3000);
	driver_start(&blk.dev);
	EXPECT_EQ(0, reg_read(&blk.dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(VIRTIO_BLK_S_OK, disk_read(0, 512));
	memset(mem_at(&mem, DESC_GPA, 0x3000), 0, 0x3000);
	driver_start(&blk.dev);
}

static void stops_and_starts_again(void)
{
	disk_create(false);
	ring_set(&mem, 0, DATA_GPA, 16, VRING_DESC_F_NEXT, 0);
	expect_stopped(); /* a loop */
	restart();
	ring_set(&mem, 0, GUEST_SIZE, 16, 0, 0);
	expect_stopped(); /* outside */
	restart();
	ring_set(&mem, 0, DATA_GPA, 0, 0, 0);
	expect_stopped(); /* no length */
	restart();
	ring_set(&mem, 0, USED_GPA, 64, VRING_DESC_F_WRITE, 0);
	expect_stopped(); /* over the rings */
	restart();
	ring_set(&mem, 0, HEADER_GPA, 16, 0, 0);
	driver_kick(&blk.dev);
	ring_offer(&mem, 0);
	driver_kick(&blk.dev);
	/* No room for a status: the buffer comes back empty, and the device asks too. */
	EXPECT(driver_wait(&blk.dev) & VIRTIO_MMIO_INT_CONFIG);
	EXPECT(reg_read(&blk.dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	restart();
	disk_destroy();
}

static void a_queue_outside_memory(void)
{
	disk_create(false);
	driver_begin(&blk.dev, 1ULL << VIRTIO_F_VERSION_1);
	driver_set_queue(&blk.dev, QUEUE_SIZE, GUEST_SIZE, AVAIL_GPA, USED_GPA);
	EXPECT_EQ(0, reg_read(&blk.dev, VIRTIO_MMIO_QUEUE_READY));
	EXPECT(reg_read(&blk.dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	restart();
	disk_destroy();
}

/* While the device serves it, its rings and registers are filled with anything. */
static void hostile_driver(void)
{
	const char *text = getenv("CALLS");
	unsigned long i, calls = text ? strtoul(text, NULL, 0) / 50 : CALLS;
	struct rng rng = rng_seeded(test_seed(), 2);

	disk_create(false);
	for (i = 0; i < calls; i++) {
		if (rng_below(&rng, 2))
			reg_write(&blk.dev, rng_below(&rng, 0x40) * 4, rng_next(&rng));
		if (!rng_below(&rng, 4))
			driver_start(&blk.dev);
		rng_fill(&rng, mem_at(&mem, DESC_GPA + rng_below(&rng, 256), 16), 16);
		ring_set(&mem, rng_below(&rng, QUEUE_SIZE), rng_below(&rng, GUEST_SIZE + 99),
			 rng_below(&rng, 2048), rng_below(&rng, 4), rng_below(&rng, QUEUE_SIZE));
		ring_offer(&mem, rng_below(&rng, QUEUE_SIZE));
		driver_kick(&blk.dev);
	}
	memset(mem_at(&mem, DESC_GPA, 0x3000), 0, 0x3000);
	virtio_stop(&blk.dev);
	while (read(blk.dev.irq_fd, &(uint64_t){ 0 }, 8) == 8)
		;
	REQUIRE(virtio_start(&blk.dev) == 0);
	restart();
	disk_destroy();
}

static void wrong_images(void)
{
	static const struct {
		const char *path;
		off_t size;
	} cases[] = { { "/tmp", -1 }, { "/nowhere", -1 }, { "/dev/null", -1 },
		      { NULL, 0 },    { NULL, 511 },	  { NULL, 513 } };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[] = "/tmp/mkvm-disk-XXXXXX";
		int fd = mkstemp(name);

		REQUIRE(fd >= 0);
		if (cases[i].size >= 0)
			REQUIRE(ftruncate(fd, cases[i].size) == 0);
		EXPECT(virtio_blk_create(&blk, cases[i].path ? cases[i].path : name, false, &mem) <
			       0,
		       "case %zu", i);
		close(fd);
		unlink(name);
	}
}

static void one_writer(void)
{
	static struct virtio_blk other;
	int fd = image_create();

	REQUIRE(fd >= 0 && ftruncate(fd, DISK_SIZE) == 0);
	memory_create(&mem);
	REQUIRE(virtio_blk_create(&blk, path, true, &mem) == 0);
	REQUIRE(virtio_blk_create(&other, path, true, &mem) == 0);
	virtio_blk_destroy(&other);
	EXPECT(virtio_blk_create(&other, path, false, &mem) < 0);
	virtio_blk_destroy(&blk);
	REQUIRE(virtio_blk_create(&other, path, false, &mem) == 0);
	EXPECT(virtio_blk_create(&blk, path, true, &mem) < 0);
	virtio_blk_destroy(&other);
	unlink(path);
}

static void random_numbers(void)
{
	static struct virtio_dev rng;
	uint8_t *data;

	memory_create(&mem);
	data = mem_at(&mem, DATA_GPA, 1024);
	REQUIRE(virtio_rng_create(&rng, &mem) == 0 && virtio_start(&rng) == 0);
	driver_start(&rng);
	ring_set(&mem, 0, DATA_GPA, 64, VRING_DESC_F_WRITE, 0);
	ring_offer(&mem, 0);
	driver_kick(&rng);
	EXPECT_EQ(VIRTIO_MMIO_INT_VRING, driver_wait(&rng));
	EXPECT(memcmp(data, data + 32, 32) != 0);
	EXPECT_EQ(0, data[64]);
	ring_set(&mem, 0, DATA_GPA, 64, 0, 0);
	ring_offer(&mem, 0);
	driver_kick(&rng);
	EXPECT(driver_wait(&rng) & VIRTIO_MMIO_INT_CONFIG);
	virtio_stop(&rng);
	virtio_destroy(&rng);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(registers),
	KTAP_TEST(features_refused),
	KTAP_TEST(keeps_what_is_written),
	KTAP_TEST(refuses_what_is_no_request),
	KTAP_TEST(a_short_header),
	KTAP_TEST(readonly),
	KTAP_TEST(image_cut_short),
	KTAP_TEST(stops_and_starts_again),
	KTAP_TEST(a_queue_outside_memory),
	KTAP_TEST_LIMIT(hostile_driver, 600),
	KTAP_TEST(wrong_images),
	KTAP_TEST(one_writer),
	KTAP_TEST(random_numbers),
};

KTAP_MAIN(tests)
