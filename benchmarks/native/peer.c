#include "peer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connect.h"
#include "die.h"
#include "frame.h"
#include "moment.h"

enum { SPARE_INPUT = 4096 }; /* room to see what a server sends beyond what was asked for */

static void fail(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct peer *peer, const char *format, ...)
{
    if (peer->failures->count++ == 0) {
        char text[sizeof peer->failures->first - 64];
        va_list values;
        va_start(values, format);
        vsnprintf(text, sizeof text, format, values);
        va_end(values);
        snprintf(peer->failures->first, sizeof peer->failures->first, "connection %d, after %" PRIu32 " replies: %s",
                 peer->number, peer->unanswered - 1, text);
    }
    epoll_ctl(peer->epoll, EPOLL_CTL_DEL, peer->fd, NULL);
    peer->ended = true;
}

void peer_open(struct peer *peer, int number, const struct sockaddr_in *address, int epoll, struct traffic *traffic,
               struct failures *failures)
{
    *peer = (struct peer){.number = number, .epoll = epoll, .traffic = traffic, .failures = failures};
    peer->unanswered = peer->unsent = peer->allowed = 1; /* sequence 0 is that of a push */
    peer->sent_at = must_have(calloc(traffic->depth, sizeof *peer->sent_at));
    peer->capacity = traffic->frame_size * traffic->depth + SPARE_INPUT;
    peer->input = must_have(malloc(peer->capacity));
    peer->fd = connect_to(address, number);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event) != 0)
        die("connection %d: epoll: %s", number, strerror(errno));
}

static void watch_output(struct peer *peer, bool wanted)
{
    if (peer->watches_output == wanted)
        return;
    struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = peer};
    epoll_ctl(peer->epoll, EPOLL_CTL_MOD, peer->fd, &event);
    peer->watches_output = wanted;
}

static void allow(struct peer *peer, uint32_t messages, uint64_t now)
{
    for (; messages > 0; messages--)
        peer->sent_at[peer->allowed++ % peer->traffic->depth] = now;
}

void peer_begin(struct peer *peer)
{
    uint64_t now = now_ns();
    allow(peer, peer->traffic->depth, now);
    peer_send(peer);
}

void peer_send(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    uint32_t messages = peer->allowed - peer->unsent;
    if (messages == 0 || peer->ended)
        return;
    for (uint32_t ahead = 0; ahead < messages; ahead++)
        put_u32(traffic->frames + ahead * traffic->frame_size + SEQUENCE_AT, peer->unsent + ahead);
    size_t size = messages * traffic->frame_size - peer->offset;
    ssize_t sent = send(peer->fd, traffic->frames + peer->offset, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        fail(peer, "sending: %s", strerror(errno));
        return;
    }
    size_t done = peer->offset + (sent < 0 ? 0 : (size_t)sent);
    peer->unsent += (uint32_t)(done / traffic->frame_size);
    peer->offset = done % traffic->frame_size;
    watch_output(peer, peer->unsent != peer->allowed);
}

static bool is_expected(struct peer *peer, const uint8_t *frame)
{
    struct traffic *traffic = peer->traffic;
    uint32_t length = get_u32(frame + LENGTH_AT), id = get_u32(frame + ID_AT);
    uint32_t sequence = get_u32(frame + SEQUENCE_AT), crc = get_u32(frame + CRC_AT);
    if (length == traffic->body_size && id == traffic->id && sequence == peer->unanswered && crc == traffic->crc)
        return true;
    fail(peer, "the reply's length, id, sequence, crc32 are %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %08" PRIx32
         ", expected %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %08" PRIx32, length, id, sequence, crc,
         traffic->body_size, traffic->id, peer->unanswered, traffic->crc);
    return false;
}

static uint32_t check_input(struct peer *peer, uint64_t now)
{
    struct traffic *traffic = peer->traffic;
    uint32_t replies = 0;
    size_t start = 0;
    while (peer->filled - start >= HEADER_SIZE) {
        const uint8_t *frame = peer->input + start;
        if (peer->unanswered == peer->unsent) {
            fail(peer, "a frame to which no message was sent");
            break;
        }
        if (!is_expected(peer, frame))
            break;
        if (peer->filled - start < traffic->frame_size)
            break;
        if (memcmp(frame + HEADER_SIZE, traffic->frames + HEADER_SIZE, traffic->body_size) != 0) {
            fail(peer, "the reply's body is not the message's");
            break;
        }
        histogram_record(&traffic->latency, now - peer->sent_at[peer->unanswered % traffic->depth]);
        peer->unanswered++;
        replies++;
        start += traffic->frame_size;
    }
    peer->filled -= start;
    if (start > 0 && peer->filled > 0)
        memmove(peer->input, peer->input + start, peer->filled);
    return replies;
}

uint32_t peer_receive(struct peer *peer, bool last_sent)
{
    if (peer->ended)
        return 0;
    ssize_t got = recv(peer->fd, peer->input + peer->filled, peer->capacity - peer->filled, 0);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0) {
        fail(peer, "%s", got == 0 ? "closed by the server" : strerror(errno));
        return 0;
    }
    peer->filled += (size_t)got;
    uint64_t now = now_ns();
    uint32_t replies = check_input(peer, now);
    if (!peer->ended && !last_sent && replies > 0) {
        allow(peer, replies, now);
        peer_send(peer);
    }
    return replies;
}

uint32_t peer_waits_for(const struct peer *peer)
{
    return peer->ended ? 0 : peer->allowed - peer->unanswered;
}

void peer_close(struct peer *peer)
{
    close(peer->fd);
    free(peer->sent_at);
    free(peer->input);
}
