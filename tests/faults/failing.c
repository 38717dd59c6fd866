/* LD_PRELOAD: a file system that fails. Each call that a line of the file FAULTS_FAIL names fails with EIO.
 *
 * The file is read at every call, so that a test can write it while the process runs; without it nothing fails. `open`
 * stands for files that are made, and nothing that fails has been done.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* By system calls of its own: what it does must not come back here. */
static int fails(const char *call)
{
    char said[256] = "\n";
    int error = errno;
    const char *file = getenv("FAULTS_FAIL");
    long fd = file ? syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;
    long size = 0;
    char line[32] = "\n";
    if (fd >= 0) {
        size = syscall(SYS_read, fd, said + 1, sizeof said - 2);
        syscall(SYS_close, fd);
    }
    said[size > 0 ? size + 1 : 1] = 0;
    strcat(strcat(line, call), "\n");
    errno = strstr(said, line) ? EIO : error;
    return strstr(said, line) != NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return fails("fsync") ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return fails("fdatasync") ? -1 : REAL(fdatasync)(fd); }

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return fails("writev") ? -1 : REAL(writev)(fd, parts, count);
}

ssize_t pread64(int fd, void *bytes, size_t size, off64_t offset)
{
    return fails("pread") ? -1 : REAL(pread64)(fd, bytes, size, offset);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    return fails("link") ? -1 : REAL(linkat)(from_fd, from, to_fd, to, flags);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return fails("rename") ? -1 : REAL(renameat)(from_fd, from, to_fd, to);
}

int mkdirat(int directory_fd, const char *path, mode_t mode)
{
    return fails("mkdir") ? -1 : REAL(mkdirat)(directory_fd, path, mode);
}

int openat64(int directory_fd, const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode;
    va_start(rest, flags);
    mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (mode && fails("open"))
        return -1;
    return REAL(openat64)(directory_fd, path, flags, mode);
}
