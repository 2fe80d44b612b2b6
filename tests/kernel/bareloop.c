/* SPDX-License-Identifier: MIT OR Apache-2.0
 * The lower limit of the cost of reading samples: the ioctl and nothing else. With `best` it keeps
 * the sample with the shortest delay, as most programs do, and prints its offset: the clock - the
 * system clock. */
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static long long ns(struct ptp_clock_time time)
{
	return time.sec * 1000000000LL + time.nsec;
}

int main(int argc, char **argv)
{
	struct ptp_sys_offset_extended samples = {0};
	long left = argc > 2 ? atol(argv[2]) : 0;
	int fd = argc > 2 ? open(argv[1], O_RDONLY) : -1;
	long long shortest = -1, offset = 0;
	unsigned int i;

	if (fd < 0)
		return 2;
	for (; left > 0; left -= PTP_MAX_SAMPLES) {
		samples.n_samples = left < PTP_MAX_SAMPLES ? left : PTP_MAX_SAMPLES;
		if (ioctl(fd, PTP_SYS_OFFSET_EXTENDED, &samples)) {
			perror("PTP_SYS_OFFSET_EXTENDED");
			return 1;
		}
		for (i = 0; argc > 3 && i < samples.n_samples; i++) {
			long long before = ns(samples.ts[i][0]), after = ns(samples.ts[i][2]);

			if (shortest < 0 || after - before < shortest) {
				shortest = after - before;
				offset = ns(samples.ts[i][1]) - before - shortest / 2;
			}
		}
	}
	if (argc > 3)
		printf("%lld\n", offset);
	return 0;
}
