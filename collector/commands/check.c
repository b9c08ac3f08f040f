/* weir check scrape URL: scrapes a target once and says what it gives, and what is wrong with it. */
#include "collector/commands/check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "collector/commands.h"

int command_check(int argc, char **argv)
{
    struct buffer report = { .data = NULL };
    struct error err = { "" };
    bool fine;

    if (argc != 3 || strcmp(argv[1], "scrape") != 0 || argv[2][0] == '-') {
        fputs("usage: weir check scrape URL\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    fine = scrape_check(argv[2], &report, &err);
    fputs(buffer_string(&report), stdout);
    if (!fine)
        fprintf(stderr, "weir: scraping %s fails: %s\n", argv[2], err.message);
    buffer_fini(&report);
    return fine ? 0 : 1;
}
