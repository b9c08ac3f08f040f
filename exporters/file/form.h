/*
 * Messages as the file exporter writes them: a JSON line per batch, or a frame of 4 bytes of big-endian length and the message,
 * which is protobuf, or zstd of either. I/O-free.
 */
#ifndef WEIR_EXPORTERS_FILE_FORM_H
#define WEIR_EXPORTERS_FILE_FORM_H

#include "collector/base/buffer.h"
#include "collector/wire/signal.h"

struct file_form {
    bool proto; /* else JSON */
    bool zstd;
};

static inline bool file_form_is_framed(const struct file_form *form)
{
    return form->proto || form->zstd;
}

/* What is written in one go. */
struct file_message {
    struct slice *parts; /* owned; one more than there are pieces of the message */
    size_t part_count;
    size_t size; /* of all parts */
    uint8_t head[4];
    struct buffer flat, text, compressed;
};

/* `pieces` together are one valid request; borrowed as long as the message. The message is zeroed. false: memory is out. */
struct file_request {
    enum signal signal;
    const struct slice *pieces;
    size_t count;
};
bool file_message_build(struct file_message *message, const struct file_request *request, const struct file_form *form);
void file_message_fini(struct file_message *message);

#endif
