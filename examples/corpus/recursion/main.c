// Recursion, wide and deep: Fibonacci, tak, Ackermann, trees on the heap, and chains of 5,000 calls, SIZE turns.
#include "../checksum.h"

#define DEPTH 5000
#define NOINLINE __attribute__((noinline))

NOINLINE static uint32_t fibonacci(uint32_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

NOINLINE static int tak(int x, int y, int z) {
  return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

NOINLINE static uint32_t ackermann(uint32_t m, uint32_t n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

// What is done behind the call keeps it from becoming a loop.
NOINLINE static uint64_t descend(uint32_t depth, uint64_t a, uint64_t b, uint64_t c) {
  if (depth == 0) return a ^ b ^ c;
  uint64_t below = descend(depth - 1, b + depth, c * 3, a ^ (b >> 7));
  return (below ^ a) * 0x9e3779b97f4a7c15 + (b ^ depth);
}

typedef struct Tree {
  struct Tree *left, *right;
  uint64_t key;
} Tree;

NOINLINE static Tree *insert(Tree *tree, uint64_t key) {
  if (!tree) {
    tree = calloc(1, sizeof(Tree));
    if (!tree) exit(1);
    tree->key = key;
  } else if (key < tree->key) {
    tree->left = insert(tree->left, key);
  } else {
    tree->right = insert(tree->right, key);
  }
  return tree;
}

NOINLINE static uint64_t fold(const Tree *tree, uint64_t value) {
  if (!tree) return value;
  value = fold(tree->left, value);
  return fold(tree->right, value * 31 + tree->key);
}

NOINLINE static void drop(Tree *tree) {
  if (!tree) return;
  drop(tree->left);
  drop(tree->right);
  free(tree);
}

int main(int argc, char **argv) {
  unsigned size = size_argument(argc, argv);
  for (unsigned turn = 0; turn < size; turn++) {
    mix(fibonacci(16 + turn % 3));
    mix((uint64_t)tak(12, 8, 4 + (int)(turn % 2)));
    mix(ackermann(2, 30 + turn % 8));
    for (int i = 0; i < 4; i++) mix(descend(DEPTH, turn, random_number(), i));
    Tree *tree = NULL;
    for (int i = 0; i < 1000; i++) tree = insert(tree, random_number());
    mix(fold(tree, turn));
    drop(tree);
  }
  return print_checksum("recursion");
}
