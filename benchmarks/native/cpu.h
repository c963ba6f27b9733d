/* CPU time of processes, in microseconds. */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>
#include <sys/types.h>

/* What these processes have used until now, all their threads, in user mode and in the kernel. The kernel tells it in
 * ticks, mostly of 10 ms. Ends the program if one of them is not there. */
uint64_t cpu_of(const pid_t *processes, int count);

/* What this process has used until now. */
uint64_t cpu_of_self(void);

#endif
