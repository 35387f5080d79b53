// Sorts SIZE hundred numbers, records and strings: heap sort, merge sort, and the library's qsort with comparators.
#include <string.h>

#include "../checksum.h"

typedef struct {
  uint32_t key;
  double weight;
  char name[12];
} Record;

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static int by_weight(const void *a, const void *b) {
  const Record *x = a, *y = b;
  if (x->weight != y->weight) return x->weight < y->weight ? -1 : 1;
  return (x->key > y->key) - (x->key < y->key);
}

static int by_name(const void *a, const void *b) {
  const Record *x = a, *y = b;
  int order = strcmp(x->name, y->name);
  return order ? order : (x->key > y->key) - (x->key < y->key);
}

static void sift(uint64_t *heap, size_t root, size_t count) {
  for (;;) {
    size_t child = 2 * root + 1;
    if (child >= count) return;
    if (child + 1 < count && heap[child] < heap[child + 1]) child++;
    if (heap[root] >= heap[child]) return;
    uint64_t swap = heap[root];
    heap[root] = heap[child];
    heap[child] = swap;
    root = child;
  }
}

static void heap_sort(uint64_t *numbers, size_t count) {
  for (size_t i = count / 2; i-- > 0;) sift(numbers, i, count);
  for (size_t end = count; end-- > 1;) {
    uint64_t swap = numbers[0];
    numbers[0] = numbers[end];
    numbers[end] = swap;
    sift(numbers, 0, end);
  }
}

static void merge_sort(double *numbers, double *scratch, size_t count) {
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t low = 0; low < count; low += 2 * width) {
      size_t middle = low + width < count ? low + width : count;
      size_t high = low + 2 * width < count ? low + 2 * width : count;
      size_t left = low, right = middle;
      for (size_t i = low; i < high; i++) {
        int take_left = left < middle && (right >= high || numbers[left] <= numbers[right]);
        scratch[i] = take_left ? numbers[left++] : numbers[right++];
      }
    }
    memcpy(numbers, scratch, count * sizeof(double));
  }
}

int main(int argc, char **argv) {
  size_t count = 100 * (size_t)size_argument(argc, argv);
  uint64_t *numbers = malloc(count * sizeof(uint64_t));
  double *floats = malloc(count * sizeof(double)), *scratch = malloc(count * sizeof(double));
  Record *records = calloc(count, sizeof(Record));
  if (!numbers || !floats || !scratch || !records) return 1;

  for (size_t i = 0; i < count; i++) numbers[i] = random_number();
  heap_sort(numbers, count);
  for (size_t i = 0; i < count; i += 97) mix(numbers[i]);

  for (size_t i = 0; i < count; i++) numbers[i] = random_number() % (count / 2);
  qsort(numbers, count, sizeof(uint64_t), by_number);
  for (size_t i = 0; i < count; i += 97) mix(numbers[i]);

  for (size_t i = 0; i < count; i++) floats[i] = (double)(int64_t)random_number() / 1e6;
  merge_sort(floats, scratch, count);
  for (size_t i = 0; i < count; i += 97) mix((uint64_t)(int64_t)floats[i]);

  for (size_t i = 0; i < count; i++) {
    Record *record = &records[i];
    record->key = (uint32_t)i;
    record->weight = (double)(random_number() % 1000) / 8;
    for (int c = 0; c < 11; c++) record->name[c] = (char)('a' + random_number() % 4);
  }
  qsort(records, count, sizeof(Record), by_weight);
  for (size_t i = 0; i < count; i += 97) mix(records[i].key);
  qsort(records, count, sizeof(Record), by_name);
  for (size_t i = 0; i < count; i += 97) mix(records[i].key);
  return print_checksum("sort");
}
