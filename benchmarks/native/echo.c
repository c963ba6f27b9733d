/* The limit: a server of the `standard` layout that is a bare epoll loop, one thread, without Python.
 *
 *     echo
 *
 * Listens on a free port of 127.0.0.1 and prints "listening PORT". Does what every server of these benchmarks does:
 * cuts frames, checks each body's CRC, looks the message ID up in a table, calls the function found there for the
 * reply's body, and computes its CRC. Replies to one read leave with one send. ID 1 echoes, ID 2 computes for 5 ms of
 * CPU time and then echoes. A frame that is wrong ends its connection. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crc.h"
#include "die.h"
#include "frame.h"
#include "moment.h"

enum { EVENTS = 1024, READ_SIZE = 262144, MAX_BODY = 1048576, MAX_UNSENT = 4194304, IDS = 16 };
static const uint64_t COMPUTE_NS = 5000000;

struct body {
    const uint8_t *bytes;
    uint32_t length;
};

typedef struct body handler(struct body body);

struct buffer {
    uint8_t *bytes;
    size_t capacity, filled;
};

struct connection {
    int fd;
    struct buffer part;   /* an incomplete frame */
    struct buffer unsent; /* replies that the socket has not taken */
};

static struct body echo(struct body body)
{
    return body;
}

static struct body compute(struct body body)
{
    uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + COMPUTE_NS;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        ;
    return body;
}

static handler *const handlers[IDS] = {[1] = echo, [2] = compute};

static uint8_t *room(struct buffer *buffer, size_t size)
{
    if (buffer->capacity - buffer->filled < size) {
        buffer->capacity = 2 * buffer->capacity > buffer->filled + size ? 2 * buffer->capacity : buffer->filled + size;
        buffer->bytes = must_have(realloc(buffer->bytes, buffer->capacity));
    }
    return buffer->bytes + buffer->filled;
}

static void append(struct buffer *buffer, const uint8_t *bytes, size_t size)
{
    memcpy(room(buffer, size), bytes, size);
    buffer->filled += size;
}

/* Answer all whole frames. Returns how many bytes they have, or -1 if a frame is wrong. */
static ssize_t answer(struct buffer *replies, const uint8_t *bytes, size_t size)
{
    size_t start = 0;
    while (size - start >= HEADER_SIZE) {
        const uint8_t *frame = bytes + start;
        struct body body = {frame + HEADER_SIZE, get_u32(frame + LENGTH_AT)};
        uint32_t id = get_u32(frame + ID_AT);
        if (body.length > MAX_BODY)
            return -1;
        if (size - start - HEADER_SIZE < body.length)
            break;
        if (crc_of(body.bytes, body.length) != get_u32(frame + CRC_AT) || id >= IDS || handlers[id] == NULL)
            return -1;
        struct body reply = handlers[id](body);
        uint8_t *out = room(replies, HEADER_SIZE + (size_t)reply.length);
        put_header(out, reply.length, id, get_u32(frame + SEQUENCE_AT), crc_of(reply.bytes, reply.length));
        memcpy(out + HEADER_SIZE, reply.bytes, reply.length);
        replies->filled += HEADER_SIZE + (size_t)reply.length;
        start += HEADER_SIZE + (size_t)body.length;
    }
    return (ssize_t)start;
}

/* Cut and answer what has been read, behind what was left of the last read. Returns whether all was right. */
static bool take(struct connection *connection, struct buffer *replies, const uint8_t *bytes, size_t size)
{
    struct buffer *part = &connection->part;
    bool continued = part->filled > 0;
    if (continued) {
        append(part, bytes, size);
        bytes = part->bytes;
        size = part->filled;
    }
    ssize_t used = answer(replies, bytes, size);
    if (used < 0)
        return false;
    size_t left = size - (size_t)used;
    if (continued) {
        memmove(part->bytes, part->bytes + used, left);
        part->filled = left;
    } else if (left > 0) {
        append(part, bytes + used, left);
    }
    return true;
}

static void watch(int epoll, struct connection *connection)
{
    /* Who does not read its replies is not read from. */
    uint32_t input = connection->unsent.filled > MAX_UNSENT ? 0 : EPOLLIN;
    uint32_t output = connection->unsent.filled > 0 ? EPOLLOUT : 0;
    struct epoll_event event = {.events = input | output, .data.ptr = connection};
    epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

/* Send what could not be sent before, and these replies; keep what the socket does not take. */
static bool send_all(int epoll, struct connection *connection, struct buffer *replies)
{
    struct buffer *unsent = &connection->unsent;
    bool waited = unsent->filled > 0;
    if (waited && replies->filled > 0)
        append(unsent, replies->bytes, replies->filled);
    struct buffer *due = waited ? unsent : replies;
    if (due->filled == 0)
        return true;
    ssize_t sent = send(connection->fd, due->bytes, due->filled, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return false;
    size_t done = sent < 0 ? 0 : (size_t)sent, left = due->filled - done;
    if (waited)
        memmove(unsent->bytes, unsent->bytes + done, left);
    else if (left > 0)
        append(unsent, replies->bytes + done, left);
    unsent->filled = left;
    if (waited || left > 0)
        watch(epoll, connection);
    return true;
}

static bool serve(int epoll, struct connection *connection, uint32_t events, uint8_t *input, struct buffer *replies)
{
    replies->filled = 0;
    if (events & ~EPOLLOUT) {
        ssize_t got = recv(connection->fd, input, READ_SIZE, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return false;
        if (got > 0 && !take(connection, replies, input, (size_t)got))
            return false;
    }
    return send_all(epoll, connection, replies);
}

static void accept_all(int epoll, int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = must_have(calloc(1, sizeof *connection));
        connection->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void end(struct connection *connection)
{
    close(connection->fd);
    free(connection->part.bytes);
    free(connection->unsent.bytes);
    free(connection);
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0
        || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        die("cannot listen on 127.0.0.1: %s", strerror(errno));
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(void)
{
    struct epoll_event events[EVENTS];
    struct buffer replies = {0};
    uint8_t *input = must_have(malloc(READ_SIZE));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    crc_prepare();
    int listener = listen_anywhere();
    struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int number = 0; number < count; number++) {
            struct connection *connection = events[number].data.ptr;
            if (connection == NULL)
                accept_all(epoll, listener);
            else if (!serve(epoll, connection, events[number].events, input, &replies))
                end(connection);
        }
    }
}
