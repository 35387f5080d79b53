// An interpreter loop: a register machine with 16 instructions runs a sieve, Collatz sequences and a linear
// recurrence, SIZE hundred numbers of each.
#include "../checksum.h"

enum { SET, MOVE, ADD, SUB, MUL, DIV, REM, AND, XOR, SHL, LOAD, STORE, JUMP, JUMP_ZERO, JUMP_LESS, HALT };

typedef struct {
  uint8_t op, a, b, c;
  int32_t value;
} Instruction;

#define REGISTERS 16

static uint64_t run(const Instruction *code, uint64_t *r, uint8_t *memory, uint32_t mask) {
  uint64_t executed = 0;
  for (const Instruction *at = code;;) {
    const Instruction i = *at++;
    executed++;
    switch (i.op) {
      case SET: r[i.a] = (uint64_t)(int64_t)i.value; break;
      case MOVE: r[i.a] = r[i.b]; break;
      case ADD: r[i.a] = r[i.b] + r[i.c]; break;
      case SUB: r[i.a] = r[i.b] - r[i.c]; break;
      case MUL: r[i.a] = r[i.b] * r[i.c]; break;
      case DIV: r[i.a] = r[i.c] ? r[i.b] / r[i.c] : 0; break;
      case REM: r[i.a] = r[i.c] ? r[i.b] % r[i.c] : 0; break;
      case AND: r[i.a] = r[i.b] & r[i.c]; break;
      case XOR: r[i.a] = r[i.b] ^ r[i.c]; break;
      case SHL: r[i.a] = r[i.b] << (r[i.c] & 63); break;
      case LOAD: r[i.a] = memory[r[i.b] & mask]; break;
      case STORE: memory[r[i.b] & mask] = (uint8_t)r[i.a]; break;
      case JUMP: at += i.value; break;
      case JUMP_ZERO: if (r[i.a] == 0) at += i.value; break;
      case JUMP_LESS: if (r[i.a] < r[i.b]) at += i.value; break;
      default: return executed;
    }
  }
}

// r0: limit. Counts the primes below it in r5.
static const Instruction sieve[] = {
    {SET, 1, 0, 0, 2},       // candidate
    {SET, 5, 0, 0, 0},       // found
    {SET, 6, 0, 0, 1},       // one
    {LOAD, 2, 1, 0, 0},      // 3: outer
    {JUMP_ZERO, 2, 0, 0, 1}, // still prime
    {JUMP, 0, 0, 0, 6},      // to next
    {ADD, 5, 5, 6, 0},
    {MUL, 3, 1, 1, 0},
    {JUMP_LESS, 3, 0, 0, 1}, // 8: inner
    {JUMP, 0, 0, 0, 3},      // to next - 1
    {STORE, 6, 3, 0, 0},
    {ADD, 3, 3, 1, 0},
    {JUMP, 0, 0, 0, -5},
    {ADD, 1, 1, 6, 0}, // 13: next
    {JUMP_LESS, 1, 0, 0, -12},
    {HALT, 0, 0, 0, 0},
};

// r0: limit. The sum of the lengths of the sequences that begin below it in r5.
static const Instruction collatz[] = {
    {SET, 1, 0, 0, 1},
    {SET, 5, 0, 0, 0},
    {SET, 6, 0, 0, 1},
    {SET, 7, 0, 0, 2},
    {SET, 8, 0, 0, 3},
    {MOVE, 2, 1, 0, 0}, // 5: outer
    {SUB, 3, 2, 6, 0},  // 6: inner
    {JUMP_ZERO, 3, 0, 0, 8},
    {ADD, 5, 5, 6, 0},
    {AND, 3, 2, 6, 0},
    {JUMP_ZERO, 3, 0, 0, 3},
    {MUL, 2, 2, 8, 0},
    {ADD, 2, 2, 6, 0},
    {JUMP, 0, 0, 0, -8},
    {DIV, 2, 2, 7, 0},
    {JUMP, 0, 0, 0, -10},
    {ADD, 1, 1, 6, 0}, // 16: next
    {JUMP_LESS, 1, 0, 0, -13},
    {HALT, 0, 0, 0, 0},
};

// r0: turns. A linear recurrence modulo 1,000,003, and a hash of it in r5.
static const Instruction recurrence[] = {
    {SET, 1, 0, 0, 0},
    {SET, 2, 0, 0, 1},
    {SET, 3, 0, 0, 1000003},
    {SET, 4, 0, 0, 31},
    {SET, 5, 0, 0, 0},
    {SET, 6, 0, 0, 1},
    {SET, 7, 0, 0, 0},
    {MUL, 8, 2, 4, 0}, // 7: turn
    {ADD, 8, 8, 1, 0},
    {REM, 8, 8, 3, 0},
    {MOVE, 1, 2, 0, 0},
    {MOVE, 2, 8, 0, 0},
    {SHL, 9, 5, 6, 0},
    {XOR, 5, 9, 8, 0},
    {ADD, 7, 7, 6, 0},
    {JUMP_LESS, 7, 0, 0, -9},
    {HALT, 0, 0, 0, 0},
};

int main(int argc, char **argv) {
  uint64_t limit = 100 * (uint64_t)size_argument(argc, argv);
  uint32_t bytes = 1;
  while (bytes < limit) bytes *= 2;
  uint8_t *memory = calloc(bytes, 1);
  if (!memory) return 1;
  const Instruction *programs[] = {sieve, collatz, recurrence};
  for (int i = 0; i < 3; i++) {
    uint64_t r[REGISTERS] = {limit};
    mix(run(programs[i], r, memory, bytes - 1));
    mix(r[5]);
    printf("%llu\n", (unsigned long long)r[5]);
  }
  return print_checksum("vm");
}
