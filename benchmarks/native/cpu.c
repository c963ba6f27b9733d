#include "cpu.h"

#include <sys/resource.h>
#include <unistd.h>

#include "die.h"

static uint64_t ticks_of(pid_t process)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("--watch %d: %s: %s", (int)process, path, strerror(errno));
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    /* The second field is the program's name in brackets, which may contain anything; the 14th and 15th are the times. */
    const char *rest = strrchr(text, ')');
    unsigned long user, kernel;
    if (rest == NULL || sscanf(rest, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &kernel) != 2)
        die("--watch %d: %s is not understood", (int)process, path);
    return user + kernel;
}

uint64_t cpu_of(const pid_t *processes, int count)
{
    uint64_t ticks = 0;
    for (int number = 0; number < count; number++)
        ticks += ticks_of(processes[number]);
    return ticks * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t cpu_of_self(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
        + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}
