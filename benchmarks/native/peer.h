/* One connection of the load: a closed loop, in which each reply allows the next message. */
#ifndef PEER_H
#define PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traffic.h"

/* What went wrong on all connections. */
struct failures {
    uint64_t count;
    char first[256]; /* what the first one was */
};

struct peer {
    int number, fd, epoll;
    struct traffic *traffic;
    struct failures *failures;
    uint32_t unanswered; /* sequence of the oldest message without its reply */
    uint32_t unsent;     /* sequence of the first message that is not wholly sent */
    uint32_t allowed;    /* sequence behind the last message that may be sent */
    size_t offset;       /* bytes of message `unsent` that are sent */
    uint64_t *sent_at;   /* of the messages in flight, by their sequence modulo the depth */
    uint8_t *input;      /* replies, and at its end a part of one */
    size_t capacity, filled;
    bool watches_output, ended;
};

/* Connects, and is watched by `epoll` with the peer as the event's pointer. */
void peer_open(struct peer *peer, int number, const struct sockaddr_in *address, int epoll, struct traffic *traffic,
               struct failures *failures);

/* Send the first messages, as many as may be in flight. */
void peer_begin(struct peer *peer);

/* Take the replies that have come, record their latency, and send as many new messages unless `last_sent`. A wrong
 * reply, an end of the stream or an error ends the peer, and is counted. Returns the number of good replies. */
uint32_t peer_receive(struct peer *peer, bool last_sent);

/* Send what is allowed and not yet sent. */
void peer_send(struct peer *peer);

uint32_t peer_waits_for(const struct peer *peer);

void peer_close(struct peer *peer);

#endif
