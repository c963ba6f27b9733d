/* Time, in nanoseconds of the monotonic clock. */
#ifndef MOMENT_H
#define MOMENT_H

#include <stdint.h>
#include <time.h>

static const uint64_t SECOND = 1000000000;

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

#endif
