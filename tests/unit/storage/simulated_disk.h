/*
 * A disk for tests: keeps what was synced apart from what was only written, and at a crash drops or keeps each unsynced block by chance.
 * Names that came or went without sync_names may be undone as well. Can run full, and fail by chance.
 */
#ifndef WEIR_TESTS_SIMULATED_DISK_H
#define WEIR_TESTS_SIMULATED_DISK_H

#include "collector/storage/filesystem.h"

enum { DISK_FILES = 256, DISK_BLOCK = 512 };

struct disk_file {
    char name[24];
    bool used, named;           /* named: visible now */
    bool durable_name;          /* visible after a crash */
    uint8_t *now, *durable;     /* owned; `capacity` bytes each */
    size_t size, durable_size, capacity;
    uint8_t *dirty;             /* one byte for each block written since the last sync; owned */
};

struct disk {
    struct filesystem filesystem;
    struct disk_file files[DISK_FILES];
    uint64_t random;
    size_t room;                /* bytes that may still be written; SIZE_MAX: no end */
    unsigned failure_percent;   /* chance that a write or sync fails */
};

void disk_init(struct disk *disk, uint64_t seed);
void disk_fini(struct disk *disk);
/* The machine goes down and comes up again; handles are void. */
void disk_crash(struct disk *disk);
/* Turns over one bit of a file whose name ends so; false when there is none with content. */
bool disk_flip(struct disk *disk, const char *suffix);
uint64_t disk_random(struct disk *disk, uint64_t below);

#endif
