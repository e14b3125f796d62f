// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes one fault of each kind that the debug kernel looks for as it is loaded, and is loaded all
 * the same. For the test of the harness. On another kernel most of them go unseen.
 */

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/timer.h>

#define SIZE 32

static noinline void read_beyond_an_object(void)
{
	char *object = kzalloc(SIZE, GFP_KERNEL);
	int beyond = SIZE;

	OPTIMIZER_HIDE_VAR(beyond);
	if (object)
		pr_info("host_faults: beyond an object: %d\n", READ_ONCE(object[beyond]));
	kfree(object);
}

static noinline void shift_too_far(void)
{
	int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	pr_info("host_faults: shifted too far: %d\n", 1 << by);
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static noinline void lock_in_both_orders(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static noinline void sleep_in_atomic(void)
{
	preempt_disable();
	might_sleep();
	preempt_enable();
}

static void expired(struct timer_list *timer)
{
}

struct object {
	struct timer_list timer;
};

static noinline void free_an_armed_timer(void)
{
	struct object *object = kzalloc(sizeof(*object), GFP_KERNEL);

	if (!object)
		return;
	timer_setup(&object->timer, expired, 0);
	mod_timer(&object->timer, jiffies + 1000 * HZ);
	/* The check of active objects takes the timer off before the memory goes. */
	kfree(object);
}

static noinline void lose_an_object(void)
{
	void *object = kzalloc(SIZE, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
}

static int __init host_faults_init(void)
{
	if (IS_ENABLED(CONFIG_KASAN))
		read_beyond_an_object();
	shift_too_far();
	sleep_in_atomic();
	if (IS_ENABLED(CONFIG_DEBUG_OBJECTS_FREE))
		free_an_armed_timer();
	lose_an_object();
	/* The last: after its first report lockdep is off. */
	lock_in_both_orders();
	return 0;
}

static void __exit host_faults_exit(void)
{
}

module_init(host_faults_init);
module_exit(host_faults_exit);
MODULE_DESCRIPTION("Makes faults of each kind");
MODULE_LICENSE("GPL");
