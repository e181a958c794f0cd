/* Takes down how long each turn of an event loop takes: what passes between two waits for events, and the processor's time of it.
   Loaded before a server (LD_PRELOAD), with the file that gets the records in TURNS_FILE; it must be there at its full size.
   The first word of the file counts the turns; each record is the thread, then its nanoseconds by the clock and by the processor. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct record { uint32_t thread, wall, cpu; };

static _Atomic uint64_t *count;
static struct record *records;
static uint64_t room;
static int (*wait_for_events)(int, struct epoll_event *, int, int);
static _Thread_local struct timespec wall, cpu;
static _Thread_local uint32_t thread;

__attribute__((constructor)) static void begin(void) {
    wait_for_events = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
    const char *path = getenv("TURNS_FILE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct stat info;
    if (file < 0 || fstat(file, &info) != 0) return;
    void *memory = mmap(NULL, info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) return;
    records = (struct record *)((char *)memory + sizeof *count);
    room = (info.st_size - sizeof *count) / sizeof *records;
    count = memory;
}

static uint32_t since(clockid_t clock, const struct timespec *before) {
    struct timespec now;
    clock_gettime(clock, &now);
    int64_t passed = (now.tv_sec - before->tv_sec) * 1000000000LL + now.tv_nsec - before->tv_nsec;
    return passed > UINT32_MAX ? UINT32_MAX : (uint32_t)passed;
}

int epoll_wait(int queue, struct epoll_event *events, int most, int timeout) {
    if (count && thread) {
        struct record turn = {thread, since(CLOCK_MONOTONIC, &wall), since(CLOCK_THREAD_CPUTIME_ID, &cpu)};
        uint64_t place = atomic_fetch_add(count, 1);
        if (place < room) records[place] = turn;
    }
    int found = wait_for_events(queue, events, most, timeout);
    if (!thread) thread = (uint32_t)gettid();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    clock_gettime(CLOCK_MONOTONIC, &wall);
    return found;
}
