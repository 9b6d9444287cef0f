"""A library that is loaded before a program and lies to it of some files."""

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Whether a descriptor is of the file that is lied about. */
static int meant(int fd) {
    char link[64], path[4096];
    const char *wanted = getenv("LIAR_FILE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!wanted || length < 0) return 0;
    path[length] = 0;
    return !strcmp(path, wanted);
}

static int is(const char *how) {
    const char *said = getenv("LIAR_HOW");
    return said && !strcmp(said, how);
}

ssize_t readv(int fd, const struct iovec *vector, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = dlsym(RTLD_NEXT, "readv");
    if (is("broken") && meant(fd)) { errno = EIO; return -1; }
    ssize_t length = real(fd, vector, count);
    /* The file LIAR_ONCE is there until the lie is told. */
    if (is("once") && length > 0 && meant(fd) && !unlink(getenv("LIAR_ONCE")))
        ((char *) vector[0].iov_base)[0] ^= 1;
    return length;
}

static int refused(int fd) {
    if (fd >= 0 && is("refused") && meant(fd)) { close(fd); errno = EACCES; return -1; }
    return fd;
}

int openat(int at, const char *path, int flags, ...) {
    static int (*real)(int, const char *, int, ...);
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    if (!real) real = dlsym(RTLD_NEXT, "openat");
    return refused(real(at, path, flags, mode));
}

int openat64(int at, const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    return openat(at, path, flags, mode);
}
"""


class LyingSystem:
    """What a program is started with, so that one file or directory is not what it is."""

    def __init__(self, directory: Path) -> None:
        if not shutil.which("gcc"):
            pytest.skip("there is no gcc")
        self._once = directory / "once"
        self._library = directory / "liar.so"
        source = directory / "liar.c"
        source.write_text(_SOURCE)
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-o", self._library, source, "-ldl"],
            check=True,
            capture_output=True,
        )

    def of(self, path: Path, how: str) -> dict[str, str]:
        """The environment: a file is read wrongly "once", is "broken" (EIO), or opening a file or
        directory is "refused".
        """
        self._once.touch()
        return {
            "LD_PRELOAD": str(self._library),
            "LIAR_FILE": str(path),
            "LIAR_HOW": how,
            "LIAR_ONCE": str(self._once),
        }
