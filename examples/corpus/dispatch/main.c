// Calls through pointers: expression trees with tables of methods, a machine whose states are functions, and filters
// of several types in chains. SIZE hundred turns.
#include "../checksum.h"

typedef struct Node Node;
typedef struct {
  int64_t (*value)(const Node *, const int64_t *);
  double (*estimate)(const Node *, const int64_t *);
  uint32_t (*size)(const Node *);
} Methods;

struct Node {
  const Methods *methods;
  const Node *left, *right;
  int64_t number;
};

static int64_t number_value(const Node *n, const int64_t *v) { return n->number + 0 * v[0]; }
static double number_estimate(const Node *n, const int64_t *v) { return (double)n->number + 0 * (double)v[0]; }
static uint32_t leaf_size(const Node *n) { return n->left == NULL; }
static int64_t variable_value(const Node *n, const int64_t *v) { return v[n->number]; }
static double variable_estimate(const Node *n, const int64_t *v) { return (double)v[n->number]; }

#define L(method) n->left->methods->method(n->left, v)
#define R(method) n->right->methods->method(n->right, v)
static uint32_t branch_size(const Node *n) {
  return 1 + n->left->methods->size(n->left) + n->right->methods->size(n->right);
}
static int64_t add_value(const Node *n, const int64_t *v) { return (int64_t)((uint64_t)L(value) + (uint64_t)R(value)); }
static double add_estimate(const Node *n, const int64_t *v) { return L(estimate) + R(estimate); }
static int64_t mul_value(const Node *n, const int64_t *v) { return (int64_t)((uint64_t)L(value) * (uint64_t)R(value)); }
static double mul_estimate(const Node *n, const int64_t *v) { return L(estimate) * R(estimate); }
static int64_t mod_value(const Node *n, const int64_t *v) {
  int64_t by = R(value);
  return by > 0 ? L(value) % by : L(value);
}
static double mod_estimate(const Node *n, const int64_t *v) { return R(estimate) / 2; }

static const Methods number = {number_value, number_estimate, leaf_size},
                     variable = {variable_value, variable_estimate, leaf_size},
                     add = {add_value, add_estimate, branch_size}, mul = {mul_value, mul_estimate, branch_size},
                     mod = {mod_value, mod_estimate, branch_size};

static const Node *grow(unsigned depth) {
  static const Methods *const leaves[] = {&number, &variable}, *const branches[] = {&add, &mul, &mod};
  Node *node = calloc(1, sizeof(Node));
  if (!node) exit(1);
  if (depth == 0) {
    node->methods = leaves[random_number() % 2];
    node->number = (int64_t)(random_number() % 4);
  } else {
    node->methods = branches[random_number() % 3];
    node->left = grow(depth - 1);
    node->right = grow(depth - 1 - (depth > 1 && random_number() % 2));
  }
  return node;
}

typedef struct {
  uint64_t count[4], input;
} Machine;
typedef struct State {
  struct State (*next)(Machine *);
} State;
static State space(Machine *m), word(Machine *m), digits(Machine *m);
static State follow(Machine *m, int state) {
  m->count[state]++;
  m->input = m->input * 6364136223846793005 + 1442695040888963407;
  unsigned kind = (unsigned)(m->input >> 61);
  return (State){kind < 2 ? space : kind < 5 ? word : digits};
}
static State space(Machine *m) { return follow(m, 0); }
static State word(Machine *m) { return follow(m, 1); }
static State digits(Machine *m) { return follow(m, 2); }

static uint32_t rotate(uint32_t x) { return x << 5 | x >> 27; }
static uint32_t scramble(uint32_t x) { return x * 2654435761u; }
static uint32_t fold(uint32_t x) { return x ^ x >> 15; }
static double halve(double x) { return x / 2; }
static double shift(double x) { return x + 1.25; }
static float narrow(float a, float b) { return a * 0.5f + b; }

int main(int argc, char **argv) {
  unsigned turns = 100 * size_argument(argc, argv);
  uint32_t (*const integers[])(uint32_t) = {rotate, scramble, fold, rotate};
  double (*const floats[])(double) = {halve, shift};
  float (*volatile pair)(float, float) = narrow;
  const Node *tree = grow(6);
  mix(tree->methods->size(tree));
  for (unsigned turn = 0; turn < turns; turn++) {
    int64_t variables[] = {turn, (int64_t)turn * 3 - 7, 11, (int64_t)(random_number() % 1000)};
    mix((uint64_t)tree->methods->value(tree, variables));
    double estimate = tree->methods->estimate(tree, variables);
    mix(estimate > 0 && estimate < 1e15 ? (uint64_t)estimate : 3);
    Machine machine = {{0}, turn};
    State state = {space};
    for (int i = 0; i < 100; i++) state = state.next(&machine);
    mix(machine.count[0] ^ machine.count[1] << 20 ^ machine.count[2] << 40);
    uint32_t x = turn;
    double f = turn;
    float g = (float)turn;
    for (int i = 0; i < 50; i++) {
      x = integers[(x ^ (uint32_t)i) % 4](x);
      f = floats[i % 2](f);
      g = pair(g, (float)i);
    }
    mix(x);
    mix((uint64_t)(f * 1e6) ^ (uint64_t)(g * 1e3f));
  }
  return print_checksum("dispatch");
}
