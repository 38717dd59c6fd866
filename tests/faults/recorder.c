/* LD_PRELOAD: writes down what a process has made durable, and what it sends; powercut.py reads it.
 *
 * A record is: kind u8, seven bytes of zero, begun u64, ended u64 (ns of CLOCK_MONOTONIC), inode u64, size u64, then
 * `size` bytes; a file's inode is mixed with its time of birth, because its number is given to others once it is gone; the machine's byte order. It is one write(2) to a file opened with O_APPEND, so that the records of all
 * threads and processes stand one after the other.
 *   F  fsync, fdatasync of a file: its contents as they were when the call began
 *   D  fsync, fdatasync of a directory: its entries then, each: inode u64, is a directory u8, name, zero
 *   L  a name was given in the directory `inode`: one such entry (mkdir, link, the target of rename)
 *   U  a name was taken away in the directory `inode`: the name, zero (unlink, the source of rename)
 *   A  send: the bytes, before they are sent
 * The two records of a rename have the same `begun`.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct head {
    uint8_t kind, zero[7];
    uint64_t begun, ended, inode, size;
};

static int record_fd = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("FAULTS_RECORD");
    int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        abort();
    record_fd = fcntl(fd, F_DUPFD_CLOEXEC, 200);
    close(fd);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t identity(int fd, const char *name, int flags, int *is_directory)
{
    struct statx status = {0};
    if (statx(fd, name, flags | AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO | STATX_BTIME, &status))
        return 0;
    *is_directory = S_ISDIR(status.stx_mode);
    if (*is_directory)
        return status.stx_ino;
    return status.stx_ino * 1000003u ^ ((uint64_t)status.stx_btime.tv_sec * 1000000000u + status.stx_btime.tv_nsec);
}

/* `record` is a head, and room for it, before `size` bytes; a record that cannot be written would be a silent loss. */
static void append(struct head *record, char kind, uint64_t begun, uint64_t ended, uint64_t inode, size_t size)
{
    *record = (struct head){.kind = (uint8_t)kind, .begun = begun, .ended = ended, .inode = inode, .size = size};
    if (write(record_fd, record, sizeof *record + size) != (ssize_t)(sizeof *record + size))
        abort();
}

static size_t entry(char *to, uint64_t inode, int is_directory, const char *name)
{
    memcpy(to, &inode, sizeof inode);
    to[sizeof inode] = (char)is_directory;
    strcpy(to + sizeof inode + 1, name);
    return sizeof inode + 1 + strlen(name) + 1;
}

static struct head *snapshot_directory(int fd, size_t *size)
{
    char path[64];
    size_t room = 1 << 16;
    struct head *record = malloc(sizeof *record + room);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    DIR *directory = opendir(path);
    struct dirent *each;
    *size = 0;
    if (!record || !directory)
        abort();
    while ((each = readdir(directory))) {
        if (!strcmp(each->d_name, ".") || !strcmp(each->d_name, ".."))
            continue;
        if (*size + 512 > room) {
            room *= 2;
            if (!(record = realloc(record, sizeof *record + room)))
                abort();
        }
        int is_directory = 0;
        uint64_t inode = identity(fd, each->d_name, 0, &is_directory);
        /* 0: gone since it was read */
        if (inode)
            *size += entry((char *)(record + 1) + *size, inode, is_directory, each->d_name);
    }
    closedir(directory);
    return record;
}

static int sync_recorded(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    struct stat status;
    struct head *record;
    size_t size = 0;
    int is_directory = 0;
    uint64_t inode = identity(fd, "", AT_EMPTY_PATH, &is_directory);
    if (fstat(fd, &status))
        return real(fd);
    uint64_t begun = now();
    if (is_directory) {
        record = snapshot_directory(fd, &size);
    } else {
        if (!(record = malloc(sizeof *record + (size_t)status.st_size)))
            abort();
        ssize_t got = pread(fd, record + 1, (size_t)status.st_size, 0);
        size = got > 0 ? (size_t)got : 0;
    }
    int result = real(fd);
    int error = errno;
    if (!result)
        append(record, is_directory ? 'D' : 'F', begun, now(), inode, size);
    free(record);
    errno = error;
    return result;
}

int fsync(int fd) { return sync_recorded("fsync", fd); }

int fdatasync(int fd) { return sync_recorded("fdatasync", fd); }

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) =
        (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
    struct head *record = malloc(sizeof *record + size);
    if (!record)
        abort();
    memcpy(record + 1, bytes, size);
    uint64_t begun = now();
    append(record, 'A', begun, begun, 0, size);
    free(record);
    return real(fd, bytes, size, flags);
}

/* A name in a directory: 'L' with what it means now, or 'U'. Names that are paths are taken apart. */
static void record_name(char kind, uint64_t begun, int directory_fd, const char *path)
{
    char parent[PATH_MAX], last[PATH_MAX];
    struct stat directory;
    _Alignas(struct head) char room[sizeof(struct head) + 512];
    struct head *record = (struct head *)room;
    char *bytes = room + sizeof *record;
    int error = errno;
    snprintf(parent, sizeof parent, "%s", path);
    snprintf(last, sizeof last, "%s", path);
    const char *name = basename(last);
    if (strlen(name) < 480 && !fstatat(directory_fd, dirname(parent), &directory, 0)) {
        size_t size = strlen(name) + 1;
        if (kind == 'L') {
            int is_directory = 0;
            uint64_t inode = identity(directory_fd, path, 0, &is_directory);
            size = entry(bytes, inode, is_directory, name);
        } else {
            memcpy(bytes, name, size);
        }
        append(record, kind, begun, now(), directory.st_ino, size);
    }
    errno = error;
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    int (*real)(int, const char *, int, const char *, int) =
        (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
    uint64_t begun = now();
    int result = real(from_fd, from, to_fd, to, flags);
    if (!result)
        record_name('L', begun, to_fd, to);
    return result;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    int (*real)(int, const char *, int, const char *) =
        (int (*)(int, const char *, int, const char *))dlsym(RTLD_NEXT, "renameat");
    uint64_t begun = now();
    int result = real(from_fd, from, to_fd, to);
    if (!result) {
        record_name('L', begun, to_fd, to);
        record_name('U', begun, from_fd, from);
    }
    return result;
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int directory_fd, const char *path, int flags)
{
    int (*real)(int, const char *, int) = (int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat");
    uint64_t begun = now();
    int result = real(directory_fd, path, flags);
    if (!result)
        record_name('U', begun, directory_fd, path);
    return result;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int mkdirat(int directory_fd, const char *path, mode_t mode)
{
    int (*real)(int, const char *, mode_t) = (int (*)(int, const char *, mode_t))dlsym(RTLD_NEXT, "mkdirat");
    uint64_t begun = now();
    int result = real(directory_fd, path, mode);
    if (!result)
        record_name('L', begun, directory_fd, path);
    return result;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
