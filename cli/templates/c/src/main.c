/* Reads whole numbers from standard input, one a line, and writes their count, sum, least, median and most to
 * output/summary.json. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 256

static int compare(const void *one, const void *other) {
    long long a = *(const long long *)one, b = *(const long long *)other;
    return (a > b) - (a < b);
}

/* Reads the numbers of standard input into *numbers; how many there are, or -1. Empty lines are skipped. */
static long read_numbers(long long **numbers) {
    char line[LINE_BYTES];
    long count = 0, room = 0;
    for (long at = 1; fgets(line, sizeof line, stdin); at++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[strspn(line, " \t")] == '\0') continue;
        if (count == room) {
            room = room ? 2 * room : 64;
            long long *more = realloc(*numbers, (size_t)room * sizeof **numbers);
            if (!more) {
                fprintf(stderr, "no memory for %ld numbers\n", room);
                return -1;
            }
            *numbers = more;
        }
        char *end;
        (*numbers)[count++] = strtoll(line, &end, 10);
        if (end == line || end[strspn(end, " \t")] != '\0') {
            fprintf(stderr, "line %ld is no number: %s\n", at, line);
            return -1;
        }
    }
    return count;
}

int main(void) {
    long long *numbers = NULL, sum = 0;
    long count = read_numbers(&numbers);
    if (count < 0) return 1;
    if (count == 0) {
        fprintf(stderr, "the input holds no number\n");
        return 1;
    }
    qsort(numbers, (size_t)count, sizeof *numbers, compare);
    for (long i = 0; i < count; i++) sum += numbers[i];
    long long median = numbers[(count - 1) / 2];
    FILE *file = fopen("output/summary.json", "w");
    if (!file) {
        perror("cannot write output/summary.json");
        return 1;
    }
    fprintf(file, "{\"count\": %ld, \"sum\": %lld, \"min\": %lld, \"median\": %lld, \"max\": %lld}\n", count, sum,
            numbers[0], median, numbers[count - 1]);
    if (fclose(file) != 0) {
        perror("cannot write output/summary.json");
        return 1;
    }
    printf("%ld numbers, sum %lld, median %lld\n", count, sum, median);
    free(numbers);
    return 0;
}
