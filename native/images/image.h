// Pixels in memory, and rectangles of them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace inception::images {

struct Size {
  int height;
  int width;
};

// A rectangle of whole pixels.
struct Part {
  int top;
  int left;
  int height;
  int width;
};

// A rectangle that may be fractional and extend beyond the image, which is black there.
struct Box {
  double top;
  double left;
  double height;
  double width;
};

// Some rows and columns of an image, as [height, width, 3] with `rowBytes` between rows. May be read up to 16 bytes behind its end.
struct Pixels {
  const uint8_t* data;
  ptrdiff_t rowBytes;
  // What of the image this is.
  Part part;

  const uint8_t* at(int y, int x) const { return data + (y - part.top) * rowBytes + static_cast<ptrdiff_t>(x - part.left) * 3; }
};

}  // namespace inception::images
