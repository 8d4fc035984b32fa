// Ends a process with SIGKILL at the nth system call that changes a file below a folder. Preloaded by kill-training.mjs:
// $KILL_FOLDER is the folder, $KILL_AT the n (from 1; absent: never), $KILL_LOG a file that gets a line for each call.
// The call itself is not made; of a write, half of the bytes are, as when a power failure or a full disk cuts it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static ssize_t plainWrite(int fd, const void *bytes, size_t count) {
  REAL(write);
  return real(fd, bytes, count);
}

// Returns 1 if this call is the one at which to die.
static int reached(const char *call, const char *path) {
  static atomic_int calls;
  const char *folder = getenv("KILL_FOLDER");
  if (!folder || strncmp(path, folder, strlen(folder)) != 0) return 0;
  const int number = ++calls;
  const char *log = getenv("KILL_LOG"), *at = getenv("KILL_AT");
  if (log) {
    char line[4200];
    const int length = snprintf(line, sizeof line, "%s %s\n", call, path + strlen(folder));
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    plainWrite(fd, line, length);
    close(fd);
  }
  return at && atoi(at) == number;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int reachedFile(const char *call, int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return reached(call, path);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (reachedFile("write", fd)) {
    plainWrite(fd, bytes, count / 2);
    die();
  }
  return plainWrite(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (reachedFile("write", fd)) die();
  REAL(writev);
  return real(fd, parts, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  REAL(pwrite);
  if (reachedFile("write", fd)) {
    real(fd, bytes, count / 2, offset);
    die();
  }
  return real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  REAL(pwrite64);
  if (reachedFile("write", fd)) {
    real(fd, bytes, count / 2, offset);
    die();
  }
  return real(fd, bytes, count, offset);
}

int fsync(int fd) {
  if (reachedFile("sync", fd)) die();
  REAL(fsync);
  return real(fd);
}

int fdatasync(int fd) {
  if (reachedFile("sync", fd)) die();
  REAL(fdatasync);
  return real(fd);
}

int rename(const char *from, const char *to) {
  if (reached("rename", to)) die();
  REAL(rename);
  return real(from, to);
}

int link(const char *from, const char *to) {
  if (reached("link", to)) die();
  REAL(link);
  return real(from, to);
}

int unlink(const char *path) {
  if (reached("remove", path)) die();
  REAL(unlink);
  return real(path);
}

int mkdir(const char *path, mode_t mode) {
  if (reached("mkdir", path)) die();
  REAL(mkdir);
  return real(path, mode);
}
