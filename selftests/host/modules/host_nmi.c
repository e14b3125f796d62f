// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs at will. The emulated machines have no performance counter that could send them, so they
 * are sent from processor to processor.
 *
 * /sys/kernel/debug/host_nmi: "CPU COUNT" written sends COUNT NMIs to CPU, one after the other:
 * the next one only when the last one was handled, as a processor holds one pending NMI at most.
 * The write returns when all were handled. Read, it tells how many each processor has handled.
 *
 * Invariant: an NMI is ours if and only if the processor's "expected" is set; the sender sets it
 * before it sends, the handler clears it. Whoever else's NMI comes in between is left to its own
 * handler, except that one merged with ours counts as ours.
 */

#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <asm/apic.h>
#include <asm/nmi.h>

/* How long one NMI may take to be handled: far above what the slowest emulator needs. */
#define HOST_NMI_WAIT_US (10 * 1000 * 1000)

static DEFINE_PER_CPU(int, host_nmi_expected);
static DEFINE_PER_CPU(unsigned long, host_nmi_handled);
/* One sender at a time. */
static DEFINE_MUTEX(host_nmi_lock);
static struct dentry *host_nmi_file;

static int host_nmi_handle(unsigned int type, struct pt_regs *regs)
{
	if (!this_cpu_xchg(host_nmi_expected, 0))
		return NMI_DONE;
	this_cpu_inc(host_nmi_handled);
	return NMI_HANDLED;
}

static int host_nmi_send(unsigned int cpu)
{
	int *expected = per_cpu_ptr(&host_nmi_expected, cpu);
	unsigned int waited = 0;

	WRITE_ONCE(*expected, 1);
	/* The flag must be seen by whom the interrupt reaches. */
	smp_mb();
	/* Not preempted between choosing the way to send and sending. */
	preempt_disable();
	apic->send_IPI(cpu, NMI_VECTOR);
	preempt_enable();
	while (READ_ONCE(*expected)) {
		if (waited++ > HOST_NMI_WAIT_US) {
			WRITE_ONCE(*expected, 0);
			return -ETIMEDOUT;
		}
		udelay(1);
		cond_resched();
	}
	return 0;
}

static ssize_t host_nmi_write(struct file *file, const char __user *from, size_t size, loff_t *at)
{
	unsigned int cpu, count, sent;
	char text[32];
	int ret = 0;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, size))
		return -EFAULT;
	text[size] = '\0';
	if (sscanf(text, "%u %u", &cpu, &count) != 2)
		return -EINVAL;

	mutex_lock(&host_nmi_lock);
	cpus_read_lock();
	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		ret = -ENXIO;
	for (sent = 0; !ret && sent < count; sent++) {
		if (signal_pending(current))
			ret = -EINTR;
		else
			ret = host_nmi_send(cpu);
	}
	cpus_read_unlock();
	mutex_unlock(&host_nmi_lock);
	return ret ? ret : size;
}

static int host_nmi_show(struct seq_file *seq, void *unused)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		seq_printf(seq, "%u %lu\n", cpu, READ_ONCE(per_cpu(host_nmi_handled, cpu)));
	return 0;
}

static int host_nmi_open(struct inode *inode, struct file *file)
{
	return single_open(file, host_nmi_show, NULL);
}

static const struct file_operations host_nmi_fops = {
	.owner = THIS_MODULE,
	.open = host_nmi_open,
	.read = seq_read,
	.write = host_nmi_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init host_nmi_init(void)
{
	int ret;

	ret = register_nmi_handler(NMI_LOCAL, host_nmi_handle, 0, "host_nmi");
	if (ret)
		return ret;
	host_nmi_file = debugfs_create_file("host_nmi", 0600, NULL, NULL, &host_nmi_fops);
	if (IS_ERR(host_nmi_file)) {
		unregister_nmi_handler(NMI_LOCAL, "host_nmi");
		return PTR_ERR(host_nmi_file);
	}
	return 0;
}

static void __exit host_nmi_exit(void)
{
	debugfs_remove(host_nmi_file);
	unregister_nmi_handler(NMI_LOCAL, "host_nmi");
}

module_init(host_nmi_init);
module_exit(host_nmi_exit);
MODULE_DESCRIPTION("Sends NMIs to a processor as often as asked");
MODULE_LICENSE("GPL");
