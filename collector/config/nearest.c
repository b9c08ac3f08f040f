/*
 * "Did you mean": the candidate with the fewest edits (letters changed, added, left out, swapped), if it is near enough.
 * Cost: candidates times the square of their length, which is bounded.
 */
#include <ctype.h>

#include "collector/config/tree.h"

enum { WORD_MAX = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t edits(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1], n = strlen(a), m = strlen(b);
    size_t *before = rows[0], *previous = rows[1], *current = rows[2];

    for (size_t j = 0; j <= m; j++)
        before[j] = previous[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *spare = before;

        current[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = previous[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);

            current[j] = smallest(change, previous[j] + 1, current[j - 1] + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]) && before[j - 2] + 1 < current[j])
                current[j] = before[j - 2] + 1;
        }
        before = previous;
        previous = current;
        current = spare;
    }
    return previous[m];
}

const char *config_nearest(const char *word, const char *const *candidates)
{
    size_t length = strlen(word), best_edits = length < 3 ? 2 : length / 3 + 1;
    const char *best = NULL;

    if (length == 0 || length > WORD_MAX)
        return NULL;
    for (; *candidates != NULL; candidates++) {
        size_t distance = strlen(*candidates) <= WORD_MAX ? edits(word, *candidates) : WORD_MAX;

        if (distance < best_edits && distance < strlen(*candidates)) {
            best = *candidates;
            best_edits = distance;
        }
    }
    return best;
}
