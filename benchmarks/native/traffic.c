#include "traffic.h"

#include "crc.h"
#include "die.h"
#include "frame.h"

struct traffic *traffic_new(uint32_t id, uint32_t body_size, uint32_t depth)
{
    struct traffic *traffic = must_have(calloc(1, sizeof *traffic));
    traffic->id = id;
    traffic->body_size = body_size;
    traffic->depth = depth;
    traffic->frame_size = HEADER_SIZE + (size_t)body_size;
    traffic->frames = must_have(malloc(traffic->frame_size * depth));
    uint8_t *first_body = traffic->frames + HEADER_SIZE;
    for (uint32_t at = 0; at < body_size; at++)
        first_body[at] = (uint8_t)(at * 167 + at / 251); /* a body shifted by a few bytes differs everywhere */
    traffic->crc = crc_of(first_body, body_size);
    for (uint32_t number = 0; number < depth; number++) {
        uint8_t *frame = traffic->frames + number * traffic->frame_size;
        put_header(frame, body_size, id, 0, traffic->crc);
        memmove(frame + HEADER_SIZE, first_body, body_size);
    }
    return traffic;
}

void traffic_reset(struct traffic *traffic)
{
    memset(&traffic->latency, 0, sizeof traffic->latency);
}

void traffic_free(struct traffic *traffic)
{
    free(traffic->frames);
    free(traffic);
}
