/* What all connections of one kind send and expect, and what has been measured of it. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

struct traffic {
    uint32_t id, body_size, crc;
    uint32_t depth;    /* messages in flight on each connection */
    size_t frame_size; /* header and body */
    uint8_t *frames;   /* `depth` frames one behind the other; only their sequences change */
    struct histogram latency; /* nanoseconds; of replies that came while measuring */
};

struct traffic *traffic_new(uint32_t id, uint32_t body_size, uint32_t depth);

/* Forget what has been measured. */
void traffic_reset(struct traffic *traffic);

void traffic_free(struct traffic *traffic);

#endif
