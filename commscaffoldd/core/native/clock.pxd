cdef extern from *:
    """
    #include <time.h>
    /* Monotonic seconds, as time.monotonic(). */
    static inline double commscaffoldd_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    }
    """
    double seconds "commscaffoldd_seconds"() nogil
