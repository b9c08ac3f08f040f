/* Compression of requests, level 1 to 6 making little difference to telemetry: 4. Threads: the worker. */
#include "sdk/src/pack.h"

#ifdef WEIR_SDK_ZLIB
#include <zlib.h>

bool pack_gzip(struct slice bytes, struct buffer *out)
{
    z_stream stream = { 0 };

    if (deflateInit2(&stream, 4, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t room = deflateBound(&stream, (uLong)bytes.size);
    bool fine = bytes.size <= UINT32_MAX && room <= UINT32_MAX && buffer_reserve(out, room);
    if (fine) {
        stream.next_in = (Bytef *)(uintptr_t)bytes.data;
        stream.avail_in = (uInt)bytes.size;
        stream.next_out = out->data + out->size;
        stream.avail_out = (uInt)room;
        fine = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        out->size += stream.total_out;
    }
    deflateEnd(&stream);
    return fine;
}
#else
bool pack_gzip(struct slice bytes, struct buffer *out)
{
    (void)bytes;
    (void)out;
    return false;
}
#endif
