// Reads whole numbers from standard input, one a line, and writes their count, sum, least, median and most to
// output/summary.json.
import { fd_close, fd_write, oflags, path_open, rights } from "@assemblyscript/wasi-shim/assembly/bindings/wasi_snapshot_preview1";

// The job's directory is the first descriptor behind standard input, output and error.
const ROOT: u32 = 3;

function fail(problem: string): void {
  process.stderr.write(problem + "\n");
  process.exit(1);
}

function readInput(): string {
  const chunk = new ArrayBuffer(4096);
  let bytes = new Uint8Array(0);
  for (let count = process.stdin.read(chunk); count > 0; count = process.stdin.read(chunk)) {
    const more = new Uint8Array(bytes.length + count);
    more.set(bytes);
    more.set(Uint8Array.wrap(chunk, 0, count), bytes.length);
    bytes = more;
  }
  return String.UTF8.decode(bytes.buffer);
}

// The standard library of AssemblyScript has no files; these are the calls of WASI.
function writeFile(path: string, text: string): bool {
  const name = String.UTF8.encode(path);
  const content = String.UTF8.encode(text);
  const descriptor = new StaticArray<u32>(1);
  const opened = path_open(ROOT, 0, changetype<usize>(name), name.byteLength, oflags.CREAT | oflags.TRUNC,
    rights.FD_WRITE, 0, 0, changetype<usize>(descriptor));
  if (opened != 0) return false;
  const vector = new StaticArray<usize>(2);
  const written = new StaticArray<usize>(1);
  for (let at = 0; at < content.byteLength; at += <i32>written[0]) {
    vector[0] = changetype<usize>(content) + at;
    vector[1] = content.byteLength - at;
    if (fd_write(descriptor[0], changetype<usize>(vector), 1, changetype<usize>(written)) != 0) return false;
  }
  return fd_close(descriptor[0]) == 0;
}

function isNumber(text: string): bool {
  const first = text.startsWith("-") ? 1 : 0;
  if (text.length == first) return false;
  for (let i = first; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

const numbers = new Array<i64>();
const lines = readInput().split("\n");
for (let i = 0; i < lines.length; i++) {
  const line = lines[i].trim();
  if (line.length == 0) continue;
  if (!isNumber(line)) fail("line " + (i + 1).toString() + " is no number: " + line);
  numbers.push(I64.parseInt(line));
}
if (numbers.length == 0) fail("the input holds no number");
numbers.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

const count = numbers.length;
const sum = numbers.reduce<i64>((total, number) => total + number, 0);
const median = numbers[(count - 1) / 2];
const summary =
  `{"count": ${count}, "sum": ${sum}, "min": ${numbers[0]}, "median": ${median}, "max": ${numbers[count - 1]}}\n`;
if (!writeFile("output/summary.json", summary)) fail("cannot write output/summary.json");
process.stdout.write(`${count} numbers, sum ${sum}, median ${median}\n`);
