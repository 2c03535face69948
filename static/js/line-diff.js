// Two texts compared line by line: the longest common subsequence stays, the rest goes out or comes in. Pure.

const LARGEST = 250_000; // cells of the table; beyond it everything out, everything in

/** `[tag, text]` per line, tag being span (kept), del or ins. */
export function compareLines(before, after) {
  if (before.length * after.length > LARGEST) return [...before.map((text) => ["del", text]), ...after.map((text) => ["ins", text])];
  const common = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      common[i][j] = before[i] === after[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const rows = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      rows.push(["span", before[i]]);
      i += 1;
      j += 1;
    } else if (j >= after.length || (i < before.length && common[i + 1][j] >= common[i][j + 1])) {
      rows.push(["del", before[i]]);
      i += 1;
    } else {
      rows.push(["ins", after[j]]);
      j += 1;
    }
  }
  return rows;
}
