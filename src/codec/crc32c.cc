#include "codec/crc32c.h"

#include <isa-l/crc.h>

namespace headrace::codec {

uint32_t crc32c(BytesView bytes, uint32_t before) {
  // ISA-L's crc32_iscsi neither inverts at the start nor at the end.
  return ~crc32_iscsi(const_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), ~before);
}

}  // namespace headrace::codec
