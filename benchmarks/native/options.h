/* What the load generator is told on its command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

enum { MAX_WATCHED = 64 };

struct options {
    struct sockaddr_in address;
    int connections, beside;
    uint32_t id, beside_id, body_size, depth;
    uint64_t spin_us;
    double seconds, warm_up;
    pid_t watched[MAX_WATCHED]; /* processes whose CPU time is measured */
    int watched_count;
};

/* Ends the program with a line on standard error if anything is wrong. */
struct options parse_options(int count, char **words);

#endif
