// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * ptpsim - simulated PTP hardware clocks with everything, for tests.
 *
 * Like gpio-sim for GPIO: a chip without hardware. Files in debugfs show its
 * registers and make it misbehave (w: can be written):
 *
 *   ptpsim/<clock>/phase            the phase offset written last, in ns
 *   ptpsim/<clock>/phase_writes     how often one was written
 *   ptpsim/<clock>/frequency        the frequency dialled, in scaled ppm
 *   ptpsim/<clock>/extts            bit mask of the channels that are on
 *   ptpsim/<clock>/extts_flags      the flags of the last request
 *   ptpsim/<clock>/extts_period     ns from event to event; w
 *   ptpsim/<clock>/emit             so many events at once on each channel that is on; w
 *   ptpsim/<clock>/loop             1: pin 0 is wired to pin 1, and no other signal
 *                                   comes; looked at every extts_period; w
 *   ptpsim/<clock>/perout           bit mask of the channels that are on
 *   ptpsim/<clock>/perout_{period,start,on,flags}  the last request, ns
 *   ptpsim/<clock>/pps              1 while PPS is on
 *   ptpsim/<clock>/refuse_strict    1: refuse strict requests, as old drivers
 *                                   do; w
 *   ptpsim/<clock>/fail_changes     errno that every change answers; w
 *   ptpsim/<clock>/perout_wants     1: a phase, 2: a start of 0, 3: a start of 32 bits,
 *                                   4: a start on a second, 5: a start 5 s ahead,
 *                                   6: a period of 1 s, 7: no duty cycle; w
 *   ptpsim/<clock>/both_edges       1: both edges come, whatever was asked for; w
 *   ptpsim/<clock>/pinless          1: from the next insert on there are channels and no
 *                                   pins, and channel 0 is wired to channel 1; w
 *   ptpsim/<clock>/fail_reads       errno that a reading answers; w
 *   ptpsim/<clock>/fail_every       N: only every Nth reading fails; w
 *   ptpsim/<clock>/read_limit       the most readings a second, others get EBUSY; w
 *   ptpsim/<clock>/read_reversed    1: the second of the system's two times comes
 *                                   before the first; w
 *   ptpsim/<clock>/read_delay       ns that each way of a reading takes; w
 *   ptpsim/<clock>/read_jitter      up to this many ns more for each way; w
 *   ptpsim/<clock>/read_late        how many of 1000 readings are late, each way by
 *                                   up to 20 us; w
 *   ptpsim/<clock>/refuse_cross     1: no cross timestamps; w
 *   ptpsim/<clock>/truth            the clock − CLOCK_REALTIME, the clock −
 *                                   CLOCK_MONOTONIC_RAW, and the latter, all of one
 *                                   moment, in ns
 *   ptpsim/<clock>/remove           writing takes the clock away
 *   ptpsim/<clock>/insert           writing brings it back
 *
 * Clock "sim" has everything. Clock "deny" has an adjphase without a
 * getmaxphase: from Linux 6.5 on its caps deny phase control, and a kernel
 * that is sent a phase offset for it crashes.
 */
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#define CHANNELS 4
#define PINS 4
#define MAX_PHASE 500000000

struct sim {
	struct ptp_clock_info info;
	struct ptp_clock *clock;
	struct platform_device *parent;
	struct dentry *folder;
	struct ptp_pin_desc pins[PINS];
	struct hrtimer events;
	struct hrtimer pulses;
	struct work_struct removal;
	/* The counter: what it had at a raw time, and its pace since. */
	spinlock_t lock;
	u64 raw;
	s64 time;
	long scaled_ppm;
	s64 event; /* The next event's time. */
	u64 owed; /* Events that are due. */
	bool dying;
	/* Registers. */
	u64 phase, phase_writes, frequency;
	u64 extts, extts_flags, extts_period;
	unsigned int flags[CHANNELS];
	u64 perout, perout_period, perout_start, perout_on, perout_flags;
	u64 loop;
	s64 rise, fall; /* The next edges of the output that is looped. */
	u64 fail_changes, perout_wants, both_edges, pinless;
	u64 pps, refuse_strict, fail_reads, read_delay, read_jitter, read_late;
	u64 refuse_cross, fail_every, readings, read_limit, read_reversed;
	u64 allowed_from; /* The raw time from which the next reading is allowed. */
};

static struct sim *sims[2];
static struct dentry *folder;

static s64 time_at(struct sim *sim, u64 raw)
{
	s64 elapsed = raw - sim->raw;

	s64 slewed = mul_u64_u64_div_u64(abs(elapsed), abs(sim->scaled_ppm), 65536000000ULL);

	return sim->time + elapsed + ((elapsed < 0) == (sim->scaled_ppm < 0) ? slewed : -slewed);
}

static s64 anchor(struct sim *sim)
{
	u64 raw = ktime_get_raw_ns();

	sim->time = time_at(sim, raw);
	sim->raw = raw;
	return sim->time;
}

static s64 shown_at(struct sim *sim, u64 raw)
{
	unsigned long flags;
	s64 time;

	/* Not anchored anew: each anchor drops a part of a nanosecond. */
	spin_lock_irqsave(&sim->lock, flags);
	time = time_at(sim, raw);
	spin_unlock_irqrestore(&sim->lock, flags);
	return time;
}

static s64 now(struct sim *sim)
{
	return shown_at(sim, ktime_get_raw_ns());
}

static struct sim *of(struct ptp_clock_info *info)
{
	return container_of(info, struct sim, info);
}

static u32 random_below(u32 limit)
{
	return limit ? get_random_u32() % limit : 0;
}

/* How long one way of a reading takes. */
static u32 one_way(struct sim *sim, bool late)
{
	return sim->read_delay + random_below(sim->read_jitter) + (late ? random_below(20000) : 0);
}

/*
 * The raw time at which the clock is read, after the way there and before the way back.
 *
 * On an emulated processor the wait ends about 100 ns late. Half of that is added to each
 * way, or one of them would always be longer. A longer delay is an interruption, and counts for
 * the way back.
 */
static u64 moment_between(u32 there, u32 back)
{
	u64 start = ktime_get_raw_ns(), end = start, more;

	while (end < start + there + back) {
		cpu_relax();
		end = ktime_get_raw_ns();
	}
	more = end - start - there - back;
	return start + there + (more < 1000 ? more / 2 : 0);
}

/* Whether a number is a multiple of another; 32-bit processors have no 64-bit division. */
static bool divides(u64 by, u64 number)
{
	u64 rest;

	div64_u64_rem(number, by, &rest);
	return !rest;
}

/*
 * The errno of a refused reading, or 0. The limit permits a second's worth of readings at once,
 * like cards that count per second, and then one whenever the next is due.
 */
static int refusal(struct sim *sim)
{
	unsigned long flags;
	bool fails, busy = false;

	spin_lock_irqsave(&sim->lock, flags);
	sim->readings++;
	fails = sim->fail_reads && (!sim->fail_every || divides(sim->fail_every, sim->readings));
	if (sim->read_limit) {
		u64 raw = ktime_get_raw_ns();

		sim->allowed_from = max(sim->allowed_from, raw - min(raw, (u64)NSEC_PER_SEC));
		busy = sim->allowed_from > raw;
		if (!busy)
			sim->allowed_from += div64_u64(NSEC_PER_SEC, sim->read_limit);
	}
	spin_unlock_irqrestore(&sim->lock, flags);
	return busy ? -EBUSY : fails ? -(int)sim->fail_reads : 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#define PRE pre_sts
#define POST post_sts
#else
#define PRE pre_ts
#define POST post_ts
#endif

static int sim_gettimex(struct ptp_clock_info *info, struct timespec64 *ts,
			struct ptp_system_timestamp *sts)
{
	struct sim *sim = of(info);
	bool late = random_below(1000) < sim->read_late;
	u32 there = one_way(sim, late), back = one_way(sim, late);
	u64 moment;
	int err = refusal(sim);

	if (err)
		return err;
	ptp_read_system_prets(sts);
	moment = moment_between(there, back);
	ptp_read_system_postts(sts);
	if (sts && sim->read_reversed)
		swap(sts->PRE, sts->POST);
	*ts = ns_to_timespec64(shown_at(sim, moment));
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 19, 0)
static int sim_getcyclesx(struct ptp_clock_info *info, struct timespec64 *ts,
			  struct ptp_system_timestamp *sts)
{
	ptp_read_system_prets(sts);
	*ts = ns_to_timespec64(ktime_get_raw_ns());
	ptp_read_system_postts(sts);
	return 0;
}
#endif

/* The clock and the system's clocks at one moment. */
static void at_one_moment(struct sim *sim, struct system_device_crosststamp *xt)
{
	struct system_time_snapshot snapshot;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	ktime_get_snapshot_id(xt->clock_id, &snapshot);
	xt->sys_systime = snapshot.systime;
	xt->sys_monoraw = snapshot.monoraw;
#else
	ktime_get_snapshot(&snapshot);
	xt->sys_realtime = snapshot.real;
	xt->sys_monoraw = snapshot.raw;
#endif
	xt->device = ns_to_ktime(shown_at(sim, ktime_to_ns(xt->sys_monoraw)));
}

static int sim_getcrosststamp(struct ptp_clock_info *info,
			      struct system_device_crosststamp *xt)
{
	struct sim *sim = of(info);
	int err;

	if (sim->refuse_cross)
		return -EOPNOTSUPP;
	err = refusal(sim);
	if (err)
		return err;
	at_one_moment(sim, xt);
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 19, 0)
static int sim_getcrosscycles(struct ptp_clock_info *info,
			      struct system_device_crosststamp *xt)
{
	int err = sim_getcrosststamp(info, xt);

	if (!err)
		xt->device = xt->sys_monoraw;
	return err;
}
#endif

static int sim_settime(struct ptp_clock_info *info, const struct timespec64 *ts)
{
	struct sim *sim = of(info);
	unsigned long flags;

	if (sim->fail_changes)
		return -(int)sim->fail_changes;
	spin_lock_irqsave(&sim->lock, flags);
	sim->raw = ktime_get_raw_ns();
	sim->time = timespec64_to_ns(ts);
	spin_unlock_irqrestore(&sim->lock, flags);
	return 0;
}

static int sim_adjtime(struct ptp_clock_info *info, s64 delta)
{
	struct sim *sim = of(info);
	unsigned long flags;

	if (sim->fail_changes)
		return -(int)sim->fail_changes;
	spin_lock_irqsave(&sim->lock, flags);
	sim->time += delta;
	spin_unlock_irqrestore(&sim->lock, flags);
	return 0;
}

static int sim_adjfine(struct ptp_clock_info *info, long scaled_ppm)
{
	struct sim *sim = of(info);
	unsigned long flags;

	if (sim->fail_changes)
		return -(int)sim->fail_changes;
	spin_lock_irqsave(&sim->lock, flags);
	anchor(sim);
	sim->scaled_ppm = scaled_ppm;
	sim->frequency = scaled_ppm;
	spin_unlock_irqrestore(&sim->lock, flags);
	return 0;
}

static int sim_adjphase(struct ptp_clock_info *info, s32 phase)
{
	struct sim *sim = of(info);

	if (sim->fail_changes)
		return -(int)sim->fail_changes;
	sim->phase = (s64)phase;
	sim->phase_writes++;
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
static s32 sim_getmaxphase(struct ptp_clock_info *info)
{
	return MAX_PHASE;
}
#endif

static u64 ns_of(const struct ptp_clock_time *time)
{
	return time->sec * NSEC_PER_SEC + time->nsec;
}

/* Drivers restrict outputs in ways that the interface doesn't tell. */
static int unwanted(struct sim *sim, const struct ptp_perout_request *perout)
{
	bool phase = perout->flags & PTP_PEROUT_PHASE;
	u64 start = ns_of(&perout->start);

	switch (sim->perout_wants) {
	case 1:
		return phase ? 0 : -EINVAL;
	case 2:
		return !phase && !start ? 0 : -EINVAL;
	case 3:
		return start <= U32_MAX ? 0 : -ERANGE;
	case 4:
		return perout->start.nsec ? -EINVAL : 0;
	case 5:
		return phase || start >= now(sim) + 5LL * NSEC_PER_SEC ? 0 : -EINVAL;
	case 6:
		return ns_of(&perout->period) == NSEC_PER_SEC ? 0 : -EINVAL;
	case 7:
		return perout->flags & PTP_PEROUT_DUTY_CYCLE ? -EINVAL : 0;
	default:
		return 0;
	}
}

static int sim_enable(struct ptp_clock_info *info, struct ptp_clock_request *rq, int on)
{
	struct sim *sim = of(info);
	int err;

	if (READ_ONCE(sim->dying))
		return -ENODEV;
	if (on && sim->fail_changes)
		return -(int)sim->fail_changes;
	switch (rq->type) {
	case PTP_CLK_REQ_EXTTS:
		if (sim->refuse_strict && rq->extts.flags & PTP_STRICT_FLAGS)
			return -EOPNOTSUPP;
		sim->extts_flags = rq->extts.flags;
		sim->flags[rq->extts.index] = rq->extts.flags;
		if (on)
			sim->extts |= BIT(rq->extts.index);
		else
			sim->extts &= ~BIT(rq->extts.index);
		sim->event = now(sim) + sim->extts_period;
		sim->owed = 0;
		if (sim->extts)
			hrtimer_start(&sim->events, ns_to_ktime(sim->extts_period),
				      HRTIMER_MODE_REL);
		else
			hrtimer_cancel(&sim->events);
		return 0;
	case PTP_CLK_REQ_PEROUT:
		if (!on) {
			sim->perout &= ~BIT(rq->perout.index);
			return 0;
		}
		err = unwanted(sim, &rq->perout);
		if (err)
			return err;
		sim->perout |= BIT(rq->perout.index);
		sim->perout_period = ns_of(&rq->perout.period);
		sim->perout_start = ns_of(&rq->perout.start);
		sim->perout_on = rq->perout.flags & PTP_PEROUT_DUTY_CYCLE ?
				 ns_of(&rq->perout.on) : 0;
		sim->perout_flags = rq->perout.flags;
		sim->rise = sim->perout_start;
		/* A phase, and a start of 0, mean the next pulse. */
		if (rq->perout.flags & PTP_PEROUT_PHASE || !sim->rise)
			sim->rise += (div64_u64(now(sim), sim->perout_period ?: 1) + 1) *
				     sim->perout_period;
		sim->fall = sim->rise + (sim->perout_on ?: sim->perout_period >> 1);
		return 0;
	case PTP_CLK_REQ_PPS:
		sim->pps = on;
		if (on)
			hrtimer_start(&sim->pulses, ms_to_ktime(100), HRTIMER_MODE_REL);
		else
			hrtimer_cancel(&sim->pulses);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Pin 3 is an input only; no pin synchronises a PHY. */
static int sim_verify(struct ptp_clock_info *info, unsigned int pin,
		      enum ptp_pin_function func, unsigned int chan)
{
	if (func == PTP_PF_PHYSYNC || (func == PTP_PF_PEROUT && pin == 3))
		return -1;
	return 0;
}

/* Sends a channel's edge, if it is wanted. A request that names no edge gets both. */
static void edge(struct sim *sim, unsigned int channel, unsigned int which, s64 time)
{
	struct ptp_clock_event event = { .type = PTP_CLOCK_EXTTS, .index = channel };
	unsigned int flags = sim->flags[channel];
	unsigned int edges = flags & (PTP_RISING_EDGE | PTP_FALLING_EDGE);

	if (sim->both_edges)
		edges = 0;
	if (!(sim->extts & BIT(channel)) || (edges && !(edges & which)))
		return;
#ifdef PTP_EXT_OFFSET
	if (flags & PTP_EXT_OFFSET) {
		event.type = PTP_CLOCK_EXTOFF;
		event.offset = -1234;
	} else
#endif
		event.timestamp = time;
	ptp_clock_event(sim->clock, &event);
}

/* The signal rises, and falls a tenth of its period later. */
static void emit(struct sim *sim, s64 time)
{
	unsigned int channel;

	for (channel = 0; channel < CHANNELS; channel++)
		edge(sim, channel, PTP_RISING_EDGE, time);
	time += div_u64(sim->extts_period, 10);
	for (channel = 0; channel < CHANNELS; channel++)
		edge(sim, channel, PTP_FALLING_EDGE, time);
}

/* What pin 0 (without pins: channel 0) puts out comes in at pin 1 (channel 1), up to now. */
static void emit_loop(struct sim *sim)
{
	bool pins = sim->info.n_pins;
	unsigned int out = pins ? sim->pins[0].chan : 0, in = pins ? sim->pins[1].chan : 1, burst;
	s64 until = now(sim);

	if (pins && (sim->pins[0].func != PTP_PF_PEROUT || sim->pins[1].func != PTP_PF_EXTTS))
		return;
	if (!(sim->perout & BIT(out)) || !sim->perout_period)
		return;
	for (burst = 0; burst < 32 && min(sim->rise, sim->fall) <= until; burst++) {
		if (sim->rise < sim->fall) {
			edge(sim, in, PTP_RISING_EDGE, sim->rise);
			sim->rise += sim->perout_period;
		} else {
			edge(sim, in, PTP_FALLING_EDGE, sim->fall);
			sim->fall += sim->perout_period;
		}
	}
}

/*
 * Events are a period apart from the first one on, however late the timer is.
 * After a stall, the missed events come in bursts that fit into a queue.
 */
static enum hrtimer_restart sim_events(struct hrtimer *timer)
{
	struct sim *sim = container_of(timer, struct sim, events);
	u64 period = sim->extts_period;
	unsigned int burst = 0;

	if (READ_ONCE(sim->dying))
		return HRTIMER_NORESTART;
	if (sim->loop) {
		hrtimer_forward_now(timer, ns_to_ktime(period));
		emit_loop(sim);
		return HRTIMER_RESTART;
	}
	sim->owed += hrtimer_forward_now(timer, ns_to_ktime(period));
	for (; sim->owed && burst < 16; sim->owed--, burst++, sim->event += period)
		emit(sim, sim->event);
	return HRTIMER_RESTART;
}

static int emit_set(void *data, u64 times)
{
	struct sim *sim = data;

	for (; times && !READ_ONCE(sim->dying); times--, sim->event += sim->extts_period)
		emit(sim, sim->event);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(emit_fops, NULL, emit_set, "%llu\n");

static enum hrtimer_restart sim_pulses(struct hrtimer *timer)
{
	struct sim *sim = container_of(timer, struct sim, pulses);
	struct ptp_clock_event event = { .type = PTP_CLOCK_PPS };

	if (READ_ONCE(sim->dying))
		return HRTIMER_NORESTART;
	ptp_clock_event(sim->clock, &event);
	hrtimer_forward_now(timer, ms_to_ktime(100));
	return HRTIMER_RESTART;
}

static void take_away(struct sim *sim)
{
	WRITE_ONCE(sim->dying, true);
	hrtimer_cancel(&sim->events);
	hrtimer_cancel(&sim->pulses);
	if (sim->clock)
		ptp_clock_unregister(sim->clock);
	sim->clock = NULL;
}

static void sim_removal(struct work_struct *work)
{
	take_away(container_of(work, struct sim, removal));
}

static int remove_set(void *data, u64 value)
{
	struct sim *sim = data;

	schedule_work(&sim->removal);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(remove_fops, NULL, remove_set, "%llu\n");

static int insert_set(void *data, u64 value)
{
	struct sim *sim = data;
	struct ptp_clock *clock;
	int i;

	flush_work(&sim->removal);
	if (sim->clock)
		return 0;
	sim->extts = sim->perout = sim->pps = 0;
	for (i = 0; i < PINS; i++)
		sim->pins[i].func = sim->pins[i].chan = 0;
	if (sim->info.verify)
		sim->info.n_pins = sim->pinless ? 0 : PINS;
	WRITE_ONCE(sim->dying, false);
	clock = ptp_clock_register(&sim->info, &sim->parent->dev);
	if (IS_ERR_OR_NULL(clock))
		return -ENODEV;
	sim->clock = clock;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(insert_fops, NULL, insert_set, "%llu\n");

static int signed_get(void *data, u64 *value)
{
	*value = *(u64 *)data;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(signed_fops, signed_get, NULL, "%lld\n");

static int truth_show(struct seq_file *file, void *unused)
{
	struct sim *sim = file->private;
	struct system_device_crosststamp xt = {};
	s64 clock, real, raw;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	xt.clock_id = CLOCK_REALTIME;
	at_one_moment(sim, &xt);
	real = ktime_to_ns(xt.sys_systime);
#else
	at_one_moment(sim, &xt);
	real = ktime_to_ns(xt.sys_realtime);
#endif
	clock = ktime_to_ns(xt.device);
	raw = ktime_to_ns(xt.sys_monoraw);
	seq_printf(file, "%lld %lld %lld\n", clock - real, clock - raw, raw);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(truth);

static void registers(struct sim *sim, const char *name)
{
	struct dentry *f = debugfs_create_dir(name, folder);

	sim->folder = f;
	debugfs_create_file("phase", 0444, f, &sim->phase, &signed_fops);
	debugfs_create_u64("phase_writes", 0444, f, &sim->phase_writes);
	debugfs_create_file("frequency", 0444, f, &sim->frequency, &signed_fops);
	debugfs_create_u64("extts", 0444, f, &sim->extts);
	debugfs_create_u64("extts_flags", 0444, f, &sim->extts_flags);
	debugfs_create_u64("extts_period", 0644, f, &sim->extts_period);
	debugfs_create_u64("loop", 0644, f, &sim->loop);
	debugfs_create_u64("perout", 0444, f, &sim->perout);
	debugfs_create_u64("perout_period", 0444, f, &sim->perout_period);
	debugfs_create_u64("perout_start", 0444, f, &sim->perout_start);
	debugfs_create_u64("perout_on", 0444, f, &sim->perout_on);
	debugfs_create_u64("perout_flags", 0444, f, &sim->perout_flags);
	debugfs_create_u64("pps", 0444, f, &sim->pps);
	debugfs_create_u64("refuse_strict", 0644, f, &sim->refuse_strict);
	debugfs_create_u64("fail_changes", 0644, f, &sim->fail_changes);
	debugfs_create_u64("perout_wants", 0644, f, &sim->perout_wants);
	debugfs_create_u64("both_edges", 0644, f, &sim->both_edges);
	debugfs_create_u64("pinless", 0644, f, &sim->pinless);
	debugfs_create_u64("fail_reads", 0644, f, &sim->fail_reads);
	debugfs_create_u64("fail_every", 0644, f, &sim->fail_every);
	debugfs_create_u64("read_limit", 0644, f, &sim->read_limit);
	debugfs_create_u64("read_reversed", 0644, f, &sim->read_reversed);
	debugfs_create_u64("read_delay", 0644, f, &sim->read_delay);
	debugfs_create_u64("read_jitter", 0644, f, &sim->read_jitter);
	debugfs_create_u64("read_late", 0644, f, &sim->read_late);
	debugfs_create_u64("refuse_cross", 0644, f, &sim->refuse_cross);
	debugfs_create_file("truth", 0444, f, sim, &truth_fops);
	debugfs_create_file("emit", 0200, f, sim, &emit_fops);
	debugfs_create_file("remove", 0200, f, sim, &remove_fops);
	debugfs_create_file("insert", 0200, f, sim, &insert_fops);
}

static void prepare(struct hrtimer *timer, enum hrtimer_restart (*run)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, run, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = run;
#endif
}

static struct sim *make(const char *name, bool everything)
{
	struct sim *sim = kzalloc(sizeof(*sim), GFP_KERNEL);
	int i;

	if (!sim)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&sim->lock);
	sim->raw = ktime_get_raw_ns();
	sim->time = ktime_get_real_ns();
	sim->extts_period = 100 * NSEC_PER_MSEC;
	prepare(&sim->events, sim_events);
	prepare(&sim->pulses, sim_pulses);
	INIT_WORK(&sim->removal, sim_removal);
	snprintf(sim->info.name, sizeof(sim->info.name), "ptpsim %s", name);
	sim->info.owner = THIS_MODULE;
	sim->info.max_adj = 100000000;
	sim->info.gettimex64 = sim_gettimex;
	sim->info.settime64 = sim_settime;
	sim->info.adjtime = sim_adjtime;
	sim->info.adjfine = sim_adjfine;
	sim->info.adjphase = sim_adjphase;
	sim->info.enable = sim_enable;
	if (everything) {
		for (i = 0; i < PINS; i++) {
			snprintf(sim->pins[i].name, sizeof(sim->pins[i].name), "SIM%d", i);
			sim->pins[i].index = i;
		}
		sim->info.n_alarm = 1;
		sim->info.n_ext_ts = CHANNELS;
		sim->info.n_per_out = CHANNELS;
		sim->info.n_pins = PINS;
		sim->info.pps = 1;
		sim->info.pin_config = sim->pins;
		sim->info.verify = sim_verify;
		sim->info.getcrosststamp = sim_getcrosststamp;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 19, 0)
		sim->info.getcyclesx64 = sim_getcyclesx;
		sim->info.getcrosscycles = sim_getcrosscycles;
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
		sim->info.getmaxphase = sim_getmaxphase;
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
		sim->info.supported_extts_flags = PTP_RISING_EDGE | PTP_FALLING_EDGE |
						  PTP_STRICT_FLAGS | PTP_EXT_OFFSET;
		sim->info.supported_perout_flags = PTP_PEROUT_ONE_SHOT |
						   PTP_PEROUT_DUTY_CYCLE |
						   PTP_PEROUT_PHASE;
#endif
	}
	sim->parent = platform_device_register_simple("ptpsim", everything ? 0 : 1, NULL, 0);
	if (IS_ERR(sim->parent)) {
		int err = PTR_ERR(sim->parent);

		kfree(sim);
		return ERR_PTR(err);
	}
	registers(sim, name);
	sim->clock = ptp_clock_register(&sim->info, &sim->parent->dev);
	if (IS_ERR_OR_NULL(sim->clock)) {
		debugfs_remove_recursive(sim->folder);
		platform_device_unregister(sim->parent);
		kfree(sim);
		return ERR_PTR(-ENODEV);
	}
	return sim;
}

static void unmake(struct sim *sim)
{
	debugfs_remove_recursive(sim->folder);
	cancel_work_sync(&sim->removal);
	take_away(sim);
	platform_device_unregister(sim->parent);
	kfree(sim);
}

static int __init ptpsim_init(void)
{
	folder = debugfs_create_dir("ptpsim", NULL);
	sims[0] = make("sim", true);
	if (IS_ERR(sims[0])) {
		debugfs_remove_recursive(folder);
		return PTR_ERR(sims[0]);
	}
	sims[1] = make("deny", false);
	if (IS_ERR(sims[1])) {
		unmake(sims[0]);
		debugfs_remove_recursive(folder);
		return PTR_ERR(sims[1]);
	}
	return 0;
}

static void __exit ptpsim_exit(void)
{
	unmake(sims[1]);
	unmake(sims[0]);
	debugfs_remove_recursive(folder);
}

module_init(ptpsim_init);
module_exit(ptpsim_exit);
MODULE_DESCRIPTION("Simulated PTP hardware clocks for tests");
MODULE_LICENSE("Dual MIT/GPL");
