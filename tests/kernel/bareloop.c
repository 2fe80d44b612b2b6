/* SPDX-License-Identifier: MIT OR Apache-2.0
 * The least that reading so many samples can cost: the ioctl and nothing else. */
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	struct ptp_sys_offset_extended samples = {0};
	long left = argc > 2 ? atol(argv[2]) : 0;
	int fd = argc > 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0)
		return 2;
	for (; left > 0; left -= PTP_MAX_SAMPLES) {
		samples.n_samples = left < PTP_MAX_SAMPLES ? left : PTP_MAX_SAMPLES;
		if (ioctl(fd, PTP_SYS_OFFSET_EXTENDED, &samples)) {
			perror("PTP_SYS_OFFSET_EXTENDED");
			return 1;
		}
	}
	return 0;
}
