// A C program over wasi-libc: stdio, directories, malloc, qsort, printf of floats, strftime.
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int main(int argc, char **argv) {
    printf("%d %s\n", argc, argc > 1 ? argv[1] : "-");
    int numbers[1000];
    unsigned state = 1;
    for (int i = 0; i < 1000; i++) { state = state * 1664525u + 1013904223u; numbers[i] = (int)(state >> 8); }
    qsort(numbers, 1000, sizeof *numbers, compare);
    printf("%d %d %.17g %.17g\n", numbers[0], numbers[999], sqrt(2.0), sin(1.0));
    time_t now = time(NULL);
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    puts(text);
    DIR *dir = opendir("/data");
    if (!dir) { perror("opendir"); return 1; }
    for (struct dirent *entry; (entry = readdir(dir));) printf("%s ", entry->d_name);
    puts("");
    closedir(dir);
    FILE *out = fopen("/output/c.txt", "w+");
    if (!out) { perror("fopen"); return 1; }
    fprintf(out, "hello from C\n");
    fseek(out, 6, SEEK_SET);
    char word[16] = {0};
    fscanf(out, "%15s", word);
    fclose(out);
    puts(word);
    struct stat st;
    printf("%d %lld %lld\n", stat("/output/c.txt", &st), (long long)st.st_size, (long long)st.st_mtime);
    printf("%d %s\n", unlink("/data/hello.txt"), strerror(errno));
    char *big = malloc(1 << 20);
    memset(big, 'x', 1 << 20);
    printf("%c\n", big[(1 << 20) - 1]);
    free(big);
    return 0;
}
