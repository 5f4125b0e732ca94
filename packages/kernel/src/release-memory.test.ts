import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInThisContext } from "node:vm";
import { cleanFileRanges, releaseFilePages, trimAllocator } from "./release-memory.ts";

test("only private read-only views of files without changed pages are taken", () => {
  const smaps = `00400000-00500000 r-xp 00000000 fe:00 53                  /usr/bin/node
Rss:                1000 kB
Anonymous:             0 kB
00500000-00510000 r--p 00100000 fe:00 53                  /usr/bin/node
Rss:                  64 kB
Anonymous:             4 kB
00510000-00520000 rw-p 00110000 fe:00 53                  /usr/bin/node
Anonymous:             0 kB
00600000-00700000 r--s 00000000 fe:00 54                  /usr/share/shared file
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000002000-7f0000003000 r-xp 00000000 00:00 0           [vdso]
Anonymous:             0 kB
7f0000004000-7f0000006000 r--p 00000000 fe:00 55          /usr/lib/a library.so
Anonymous:             0 kB
`;
  assert.deepEqual(cleanFileRanges(smaps), [
    { start: 0x400000n, end: 0x500000n },
    { start: 0x7f0000004000n, end: 0x7f0000006000n },
  ]);
});

function residentFilePages(): number {
  return Number(/^RssFile:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

test("the resident set shrinks, and everything goes on working", async () => {
  const before = residentFilePages();
  await releaseFilePages();
  trimAllocator();
  const after = residentFilePages();
  assert.ok(after < before / 2, `${before} kB before, ${after} kB after`);
  // Code that was not used since, and code that is compiled only now.
  assert.equal(runInThisContext("(a) => a.map((x) => x ** 2).reduce((x, y) => x + y)")([1, 2, 3]), 14);
  assert.equal(
    JSON.stringify({ a: [new Date(0).toISOString(), /x(.)/.exec("xy")?.[1]] }),
    '{"a":["1970-01-01T00:00:00.000Z","y"]}',
  );
});
