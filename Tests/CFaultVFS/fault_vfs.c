#include "fault_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Pending {
    struct Pending *next;
    sqlite3_int64 offset;
    sqlite3_int64 size; // -1: truncate to offset
    unsigned char bytes[];
} Pending;

typedef struct Image {
    struct Image *next;
    char *path;
    unsigned char *bytes;
    sqlite3_int64 size;
    sqlite3_int64 capacity;
    Pending *first;
    Pending **last;
} Image;

typedef struct FaultFile {
    sqlite3_file base;
    Image *image;
    sqlite3_file *real;
} FaultFile;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Image *images;
static char *full_while;
static char *full_below;
static sqlite3_vfs *real_vfs;
static sqlite3_vfs fault_vfs;

static Image *image_of(const char *path) {
    for (Image *image = images; image; image = image->next)
        if (strcmp(image->path, path) == 0) return image;
    Image *image = calloc(1, sizeof *image);
    image->path = strdup(path);
    image->last = &image->first;
    image->next = images;
    images = image;
    return image;
}

static void reserve(Image *image, sqlite3_int64 size) {
    if (size <= image->capacity) return;
    sqlite3_int64 capacity = image->capacity ? image->capacity : 65536;
    while (capacity < size) capacity *= 2;
    image->bytes = realloc(image->bytes, capacity);
    memset(image->bytes + image->capacity, 0, capacity - image->capacity);
    image->capacity = capacity;
}

static void forget(Image *image) {
    for (Pending *item = image->first; item;) {
        Pending *next = item->next;
        free(item);
        item = next;
    }
    image->first = NULL;
    image->last = &image->first;
}

static void settle(Image *image) {
    for (Pending *item = image->first; item; item = item->next) {
        if (item->size < 0) {
            if (item->offset < image->size) memset(image->bytes + item->offset, 0, image->size - item->offset);
            image->size = item->offset;
            continue;
        }
        reserve(image, item->offset + item->size);
        memcpy(image->bytes + item->offset, item->bytes, item->size);
        if (item->offset + item->size > image->size) image->size = item->offset + item->size;
    }
    forget(image);
}

static void note(Image *image, const void *bytes, sqlite3_int64 size, sqlite3_int64 offset) {
    Pending *item = malloc(sizeof *item + (size > 0 ? size : 0));
    item->next = NULL;
    item->offset = offset;
    item->size = size;
    if (size > 0) memcpy(item->bytes, bytes, size);
    *image->last = item;
    image->last = &item->next;
}

static sqlite3_file *real(sqlite3_file *file) { return ((FaultFile *)file)->real; }

static int fault_close(sqlite3_file *file) {
    int code = real(file)->pMethods->xClose(real(file));
    sqlite3_free(real(file));
    return code;
}
static int fault_read(sqlite3_file *file, void *to, int size, sqlite3_int64 offset) {
    return real(file)->pMethods->xRead(real(file), to, size, offset);
}
// Whether the disk has no room for a file of this folder to grow.
static int is_full(Image *image, sqlite3_file *file, sqlite3_int64 end) {
    if (!image) return 0;
    pthread_mutex_lock(&lock);
    int full = full_while && strncmp(image->path, full_below, strlen(full_below)) == 0 && access(full_while, F_OK) == 0;
    pthread_mutex_unlock(&lock);
    sqlite3_int64 size = 0;
    return full && file->pMethods->xFileSize(file, &size) == SQLITE_OK && end > size;
}

static int fault_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 offset) {
    if (is_full(((FaultFile *)file)->image, real(file), offset + size)) return SQLITE_FULL;
    int code = real(file)->pMethods->xWrite(real(file), from, size, offset);
    if (code == SQLITE_OK && ((FaultFile *)file)->image) {
        pthread_mutex_lock(&lock);
        note(((FaultFile *)file)->image, from, size, offset);
        pthread_mutex_unlock(&lock);
    }
    return code;
}
static int fault_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int code = real(file)->pMethods->xTruncate(real(file), size);
    if (code == SQLITE_OK && ((FaultFile *)file)->image) {
        pthread_mutex_lock(&lock);
        note(((FaultFile *)file)->image, NULL, -1, size);
        pthread_mutex_unlock(&lock);
    }
    return code;
}
static int fault_sync(sqlite3_file *file, int flags) {
    int code = real(file)->pMethods->xSync(real(file), flags);
    if (code == SQLITE_OK && ((FaultFile *)file)->image) {
        pthread_mutex_lock(&lock);
        settle(((FaultFile *)file)->image);
        pthread_mutex_unlock(&lock);
    }
    return code;
}
static int fault_size(sqlite3_file *file, sqlite3_int64 *size) { return real(file)->pMethods->xFileSize(real(file), size); }
static int fault_lock(sqlite3_file *file, int level) { return real(file)->pMethods->xLock(real(file), level); }
static int fault_unlock(sqlite3_file *file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
static int fault_reserved(sqlite3_file *file, int *out) {
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
static int fault_control(sqlite3_file *file, int op, void *arg) {
    return real(file)->pMethods->xFileControl(real(file), op, arg);
}
static int fault_sector(sqlite3_file *file) { return real(file)->pMethods->xSectorSize(real(file)); }
static int fault_device(sqlite3_file *file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }
static int fault_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
static int fault_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}
static void fault_shm_barrier(sqlite3_file *file) { real(file)->pMethods->xShmBarrier(real(file)); }
static int fault_shm_unmap(sqlite3_file *file, int remove) { return real(file)->pMethods->xShmUnmap(real(file), remove); }

// Version 2: no memory-mapped reads or writes pass us by.
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_reserved,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_device,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

static int fault_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out) {
    FaultFile *fault = (FaultFile *)file;
    memset(fault, 0, sizeof *fault);
    fault->real = sqlite3_malloc(real_vfs->szOsFile);
    if (!fault->real) return SQLITE_NOMEM;
    memset(fault->real, 0, real_vfs->szOsFile);
    int code = real_vfs->xOpen(real_vfs, path, fault->real, flags, out);
    if (code != SQLITE_OK) {
        sqlite3_free(fault->real);
        return code;
    }
    if (path) {
        pthread_mutex_lock(&lock);
        fault->image = image_of(path);
        pthread_mutex_unlock(&lock);
    }
    fault->base.pMethods = &methods;
    return SQLITE_OK;
}

static int fault_delete(sqlite3_vfs *vfs, const char *path, int sync) {
    int code = real_vfs->xDelete(real_vfs, path, sync);
    if (code == SQLITE_OK) {
        pthread_mutex_lock(&lock);
        Image *image = image_of(path);
        forget(image);
        image->size = 0;
        pthread_mutex_unlock(&lock);
    }
    return code;
}

int fault_vfs_install(void) {
    pthread_mutex_lock(&lock);
    int code = SQLITE_OK;
    if (!real_vfs) {
        real_vfs = sqlite3_vfs_find(NULL);
        fault_vfs = *real_vfs;
        fault_vfs.zName = "fault";
        fault_vfs.szOsFile = sizeof(FaultFile);
        fault_vfs.xOpen = fault_open;
        fault_vfs.xDelete = fault_delete;
        code = sqlite3_vfs_register(&fault_vfs, 1);
    }
    pthread_mutex_unlock(&lock);
    return code;
}

void fault_vfs_full_while(const char *folder, const char *path) {
    pthread_mutex_lock(&lock);
    free(full_while);
    free(full_below);
    full_while = path ? strdup(path) : NULL;
    full_below = folder ? strdup(folder) : NULL;
    pthread_mutex_unlock(&lock);
}

int fault_vfs_power_loss(const char *folder, const char *target) {
    int count = 0;
    size_t length = strlen(folder);
    pthread_mutex_lock(&lock);
    for (Image *image = images; image; image = image->next) {
        if (strncmp(image->path, folder, length) != 0 || image->size == 0) continue;
        const char *name = strrchr(image->path, '/');
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", target, name ? name + 1 : image->path);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(image->bytes, 1, image->size, file) != (size_t)image->size) count = -1;
        if (file) fclose(file);
        if (count < 0) break;
        count++;
    }
    pthread_mutex_unlock(&lock);
    return count;
}
