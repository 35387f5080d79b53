// What the C programs share: their one argument, and the checksum that they print.
#ifndef CHECKSUM_H
#define CHECKSUM_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t checksum = 0xcbf29ce484222325;

// FNV-1a over the eight bytes of a number.
static inline void mix(uint64_t value) {
  for (int i = 0; i < 8; i++) {
    checksum = (checksum ^ (value & 0xff)) * 0x100000001b3;
    value >>= 8;
  }
}

static uint64_t random_state = 88172645463325252;

// xorshift64.
static inline uint64_t random_number(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static inline unsigned size_argument(int argc, char **argv) {
  long size = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
  if (size < 1 || size > 1000000000) {
    fprintf(stderr, "usage: %s SIZE\n", argv[0]);
    exit(2);
  }
  return (unsigned)size;
}

static inline int print_checksum(const char *name) {
  printf("%s %016llx\n", name, (unsigned long long)checksum);
  return 0;
}
#endif
