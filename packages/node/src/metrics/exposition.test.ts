import assert from "node:assert/strict";
import { test } from "node:test";
import { exposition, type Sample } from "./exposition.ts";

test("metrics are told in Prometheus' words", () => {
  const samples: readonly Sample[] = [
    { labels: { pod: 'a"b\\c\nd', namespace: "" }, value: 1.5, at: 1000 },
    { labels: {}, value: 3 },
  ];
  const text = exposition([
    { name: "some_total", help: "Some.", type: "counter", samples },
    { name: "none", help: "None.", type: "gauge", samples: [] },
  ]);
  assert.equal(
    text,
    '# HELP some_total Some.\n# TYPE some_total counter\nsome_total{pod="a\\"b\\\\c\\nd",namespace=""} 1.5 1000\nsome_total 3\n',
  );
});
