cdef extern from *:
    """
    #include <pthread.h>
    #include <time.h>
    /* A gate that one thread waits at, for a limited time by the monotonic clock, and another one opens. */
    typedef struct { pthread_mutex_t mutex; pthread_cond_t opened; int open; } commscaffoldd_gate;

    static void commscaffoldd_gate_init(commscaffoldd_gate *gate) {
        pthread_condattr_t monotonic;
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_mutex_init(&gate->mutex, NULL);
        pthread_cond_init(&gate->opened, &monotonic);
        pthread_condattr_destroy(&monotonic);
        gate->open = 0;
    }

    static void commscaffoldd_gate_destroy(commscaffoldd_gate *gate) {
        pthread_cond_destroy(&gate->opened);
        pthread_mutex_destroy(&gate->mutex);
    }

    static void commscaffoldd_gate_open(commscaffoldd_gate *gate) {
        pthread_mutex_lock(&gate->mutex);
        gate->open = 1;
        pthread_cond_signal(&gate->opened);
        pthread_mutex_unlock(&gate->mutex);
    }

    /* Less than a second. It is closed again afterwards. */
    static void commscaffoldd_gate_wait(commscaffoldd_gate *gate, long nanoseconds) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += nanoseconds;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&gate->mutex);
        while (!gate->open && pthread_cond_timedwait(&gate->opened, &gate->mutex, &until) == 0)
            ;
        gate->open = 0;
        pthread_mutex_unlock(&gate->mutex);
    }
    """
    ctypedef struct Gate "commscaffoldd_gate":
        pass
    void gate_init "commscaffoldd_gate_init"(Gate*) nogil
    void gate_destroy "commscaffoldd_gate_destroy"(Gate*) nogil
    void gate_open "commscaffoldd_gate_open"(Gate*) nogil
    void gate_wait "commscaffoldd_gate_wait"(Gate*, long nanoseconds) nogil
