/* Opens connections that say nothing, so that the memory of one can be measured.
 *
 *     idle ADDRESS PORT CONNECTIONS
 *
 * Prints "ready" when all are connected, keeps them until its standard input ends, then prints how many of them the
 * server has closed meanwhile: {"connections": 10000, "closed": 0}. Exit code 1 if any, 2 if it could not connect. */
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connect.h"
#include "die.h"

enum { STEP = 100 }; /* connections opened at a time, so that no server's backlog overflows */
static const struct timespec BETWEEN_STEPS = {.tv_nsec = 2000000};

int main(int count, char **words)
{
    if (count != 4)
        die("usage: idle ADDRESS PORT CONNECTIONS");
    struct sockaddr_in address = parse_address(words[1], words[2]);
    int connections = atoi(words[3]);
    if (connections < 1)
        die("connections: 1 or more, not %s", words[3]);
    need_descriptors(connections);
    int *sockets = must_have(calloc((size_t)connections, sizeof *sockets));
    for (int number = 0; number < connections; number++) {
        sockets[number] = connect_to(&address, number);
        if (number % STEP == STEP - 1)
            nanosleep(&BETWEEN_STEPS, NULL);
    }
    puts("ready");
    fflush(stdout);

    char ignored[64];
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0)
        ;
    int closed = 0;
    struct linger reset = {.l_onoff = 1}; /* thousands of connections in TIME_WAIT would disturb the next measurement */
    for (int number = 0; number < connections; number++) {
        if (recv(sockets[number], ignored, sizeof ignored, 0) >= 0 || errno != EAGAIN)
            closed++;
        setsockopt(sockets[number], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(sockets[number]);
    }
    printf("{\"connections\": %d, \"closed\": %d}\n", connections, closed);
    free(sockets);
    return closed > 0;
}
