// SQLite on a file: SIZE hundred orders of a hundred customers in two indexed tables, then joins, groups, windows,
// text, updates and deletes, a rollback, and a check of the file.
#include <string.h>

#include "../checksum.h"
#include "sqlite3.h"

static sqlite3 *database;

static void check(int code) {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
  fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(database));
  exit(1);
}

static void execute(const char *sql) { check(sqlite3_exec(database, sql, NULL, NULL, NULL)); }

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *statement;
  check(sqlite3_prepare_v2(database, sql, -1, &statement, NULL));
  return statement;
}

static void step(sqlite3_stmt *statement) {
  check(sqlite3_step(statement));
  check(sqlite3_reset(statement));
}

// Mixes every value of every row of the answer.
static void query(const char *sql) {
  sqlite3_stmt *statement = prepare(sql);
  unsigned rows = 0;
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    rows++;
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
      const unsigned char *text = sqlite3_column_text(statement, i);
      for (size_t c = 0; text && text[c]; c++) mix(text[c]);
    }
  }
  check(code);
  check(sqlite3_finalize(statement));
  printf("%u rows\n", rows);
  mix(rows);
}

static void fill(unsigned orders) {
  static const char *const cities[] = {"Lisbon", "Oslo", "Quito", "Nairobi", "Hanoi", "Perth"};
  char name[32];
  execute("CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT);"
          "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, cents INTEGER, weight REAL, "
          "note TEXT);"
          "CREATE INDEX by_customer ON orders(customer, cents); CREATE INDEX by_note ON orders(note); BEGIN");
  sqlite3_stmt *insert = prepare("INSERT INTO customers(name, city) VALUES(?1, ?2)");
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof(name), "customer %llu", (unsigned long long)(random_number() % 100000));
    sqlite3_bind_text(insert, 1, name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(insert, 2, cities[random_number() % 6], -1, SQLITE_STATIC);
    step(insert);
  }
  check(sqlite3_finalize(insert));
  insert = prepare("INSERT INTO orders(customer, cents, weight, note) VALUES(?1, ?2, ?3, ?4)");
  for (unsigned i = 0; i < orders; i++) {
    snprintf(name, sizeof(name), "%llx", (unsigned long long)(random_number() >> 40));
    sqlite3_bind_int64(insert, 1, (sqlite3_int64)(1 + random_number() % 100));
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)(random_number() % 1000000));
    sqlite3_bind_double(insert, 3, (double)(random_number() % 4096) / 16);
    sqlite3_bind_text(insert, 4, name, -1, SQLITE_TRANSIENT);
    step(insert);
  }
  check(sqlite3_finalize(insert));
  execute("COMMIT");
}

int main(int argc, char **argv) {
  unsigned orders = 100 * size_argument(argc, argv);
  check(sqlite3_open_v2("output/corpus.db", &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none"));
  execute("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 200");
  fill(orders);
  query("SELECT city, count(*), sum(cents), max(weight), min(note) FROM orders JOIN customers ON customer = customers.id "
        "GROUP BY city ORDER BY city");
  query("SELECT name, (SELECT sum(cents) FROM orders WHERE customer = customers.id AND cents > 500000) AS total "
        "FROM customers ORDER BY total DESC, name LIMIT 20");
  query("SELECT id, cents, sum(cents) OVER (PARTITION BY customer ORDER BY id) FROM orders WHERE customer < 10");
  query("SELECT substr(note, 1, 2) AS head, count(*), group_concat(id) FROM orders WHERE note LIKE '%a%' GROUP BY head "
        "HAVING count(*) > 2 ORDER BY 2 DESC, head");
  query("WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 500) "
        "SELECT sum(n * n), printf('%.3f', avg(n)), upper(hex(max(n))) FROM up");
  execute("BEGIN; UPDATE orders SET cents = cents / 2, note = note || '-' || customer WHERE id % 3 = 0; "
          "DELETE FROM orders WHERE weight < 20; COMMIT");
  execute("BEGIN; DELETE FROM orders WHERE customer > 5; UPDATE customers SET city = NULL; ROLLBACK");
  query("SELECT count(*), sum(cents), sum(length(note)), round(total(weight), 4) FROM orders");
  execute("VACUUM");
  query("PRAGMA integrity_check");
  check(sqlite3_close(database));
  return print_checksum("sqlite");
}
