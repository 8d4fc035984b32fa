#include "source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace inception::images {

bool readFile(const Source& source, std::vector<uint8_t>& bytes) {
  const int file = open(source.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  int64_t length = source.length;
  struct stat found{};
  bool isRead = fstat(file, &found) == 0 && S_ISREG(found.st_mode);
  if (isRead && length < 0) length = static_cast<int64_t>(found.st_size) - source.offset;
  isRead = isRead && source.offset >= 0 && length > 0 && length <= maxFileBytes && source.offset + length <= static_cast<int64_t>(found.st_size);
  if (isRead) {
    bytes.resize(static_cast<size_t>(length));
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t count = pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(source.offset + static_cast<int64_t>(done)));
      if (count > 0) {
        done += static_cast<size_t>(count);
      } else if (count == 0 || errno != EINTR) {
        isRead = false;
        break;
      }
    }
  }
  close(file);
  return isRead;
}

}  // namespace inception::images
