#include "connect.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "die.h"

enum { CONNECT_SECONDS = 10, OTHER_DESCRIPTORS = 32 };

struct sockaddr_in parse_address(const char *address, const char *port)
{
    struct sockaddr_in parsed = {.sin_family = AF_INET};
    char *end;
    long number = strtol(port, &end, 10);
    if (*end != '\0' || number < 1 || number > 65535)
        die("port %s: a number from 1 to 65535 is wanted", port);
    if (inet_pton(AF_INET, address, &parsed.sin_addr) != 1)
        die("address %s: an IPv4 address in digits is wanted, such as 127.0.0.1", address);
    parsed.sin_port = htons((uint16_t)number);
    return parsed;
}

void need_descriptors(int connections)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)connections + OTHER_DESCRIPTORS;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed)
        return;
    if (limit.rlim_max < needed)
        die("%d connections need %lu file descriptors, and the hard limit is %lu (ulimit -Hn)", connections,
            (unsigned long)needed, (unsigned long)limit.rlim_max);
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("cannot raise the limit of file descriptors to %lu: %s", (unsigned long)needed, strerror(errno));
}

int connect_to(const struct sockaddr_in *address, int number)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("connection %d: no socket: %s", number, strerror(errno));
    struct timeval patience = {.tv_sec = CONNECT_SECONDS}; /* holds for connect, too */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
        die("connection %d to %s:%d: %s", number, text, ntohs(address->sin_port),
            errno == EINPROGRESS ? "not accepted within 10 seconds" : strerror(errno));
    }
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        die("connection %d: %s", number, strerror(errno));
    return fd;
}
